//! Promises of presence, told as small scenes: faces seen, time passing.

use super::*;
use crate::clock::Clock;
use crate::id::CameraId;
use crate::vision::{Detection, Quality, Rect, TrackedFace};
use jiff::Timestamp;
use proptest::prelude::*;

const THRESHOLD: f32 = 0.45;
const ANNA: MemberId = MemberId(1);
const BERT: MemberId = MemberId(2);

struct Scene {
    visits: Visits,
    clock: Clock,
    said: Vec<Presence>,
}

fn zone(name: &str) -> ZoneId {
    ZoneId::new(name).unwrap()
}

/// A clear look at a member.
fn like(member: MemberId, score: f32) -> Match {
    Match { best: Some((member, score)), second: 0.2 }
}

fn stranger() -> Match {
    Match { best: Some((ANNA, 0.3)), second: 0.28 }
}

impl Scene {
    fn new() -> Scene {
        let clock = Clock::simulated(Timestamp::UNIX_EPOCH);
        Scene { visits: Visits::new(RecognitionSettings::default(), THRESHOLD), clock, said: Vec::new() }
    }

    /// Faces before the camera of `place`, 100 ms after whatever was before; gives what changed.
    fn see(&mut self, place: &str, faces: &[(u64, Option<Match>)]) -> Vec<Presence> {
        self.see_ended(place, faces, &[])
    }

    fn see_ended(&mut self, place: &str, faces: &[(u64, Option<Match>)], ended: &[u64]) -> Vec<Presence> {
        self.clock.advance(Duration::from_millis(100));
        let now = self.clock.now();
        let face = |track: u64| TrackedFace {
            track: TrackId(track),
            detection: Detection {
                bbox: Rect { x: 0.0, y: 0.0, w: 80.0, h: 100.0 },
                landmarks: [[0.0; 2]; 5],
                score: 0.9,
            },
            quality: Quality { score: 0.8, poor: None },
            embedding: None,
        };
        let sighting = Sighting {
            camera: CameraId::new(format!("{place}-cam")).unwrap(),
            zone: zone(place),
            sequence: 1,
            captured: now,
            size: (640, 480),
            faces: faces.iter().map(|(t, _)| face(*t)).collect(),
            ended: ended.iter().map(|t| TrackId(*t)).collect(),
        };
        let matches: Vec<_> = faces.iter().filter_map(|(t, m)| Some((TrackId(*t), (*m)?))).collect();
        let changes = self.visits.observe(&sighting, &matches, now);
        self.said.extend(changes.clone());
        changes
    }

    fn wait(&mut self, ms: u64) -> Vec<Presence> {
        self.clock.advance(Duration::from_millis(ms));
        let changes = self.visits.tick(self.clock.now());
        self.said.extend(changes.clone());
        changes
    }

    fn entered(&self) -> Vec<(MemberId, String)> {
        let entered = self.said.iter().filter_map(|p| match p {
            Presence::Entered { member, zone, .. } => Some((*member, zone.to_string())),
            _ => None,
        });
        entered.collect()
    }

    fn left(&self) -> usize {
        self.said.iter().filter(|p| matches!(p, Presence::Left { .. })).count()
    }
}

#[test]
fn one_high_score_never_decides() {
    let mut s = Scene::new();
    assert!(s.see("tea", &[(1, Some(like(ANNA, 0.99)))]).is_empty());
    for _ in 0..20 {
        assert!(s.see("tea", &[(1, Some(stranger()))]).is_empty());
    }
    assert!(s.see("tea", &[(1, Some(like(ANNA, 0.99)))]).is_empty());
    assert!(s.entered().is_empty());
}

#[test]
fn three_votes_enter_once_then_dwell_then_leave() {
    let mut s = Scene::new();
    for _ in 0..2 {
        assert!(s.see("tea", &[(1, Some(like(ANNA, 0.6)))]).is_empty());
        assert_eq!(s.visits.who(TrackId(1)), TrackState::Undecided);
    }
    let changes = s.see("tea", &[(1, Some(like(ANNA, 0.63)))]);
    let [Presence::Entered { member: ANNA, votes: 3, score, at, captured, .. }] = changes[..] else {
        panic!("{changes:?}")
    };
    assert!((score - 0.61).abs() < 1e-5);
    assert_eq!(at, captured);
    assert_eq!(s.visits.who(TrackId(1)), TrackState::Member(ANNA));
    assert_eq!(s.visits.present().count(), 1);
    let mut dwelt = 0;
    for _ in 0..60 {
        dwelt += s.see("tea", &[(1, None)]).iter().filter(|p| matches!(p, Presence::Dwelt { .. })).count();
    }
    assert_eq!(dwelt, 1);
    let last = s.clock.now();
    assert!(s.wait(3900).is_empty());
    let changes = s.wait(200);
    let [Presence::Left { member: ANNA, at, .. }] = changes[..] else { panic!("{changes:?}") };
    assert_eq!(at, last);
    assert_eq!(s.visits.present().count(), 0);
}

#[test]
fn a_look_without_a_lead_over_the_second_is_no_vote() {
    let mut s = Scene::new();
    for _ in 0..30 {
        s.see("tea", &[(1, Some(Match { best: Some((ANNA, 0.7)), second: 0.68 }))]);
    }
    assert!(s.entered().is_empty());
}

#[test]
fn votes_that_disagree_decide_nothing() {
    let mut s = Scene::new();
    for k in 0..40 {
        s.see("tea", &[(1, Some(like(if k % 2 == 0 { ANNA } else { BERT }, 0.6)))]);
    }
    assert!(s.entered().is_empty());
    assert_eq!(s.visits.who(TrackId(1)), TrackState::Undecided);
}

#[test]
fn a_stranger_is_called_so_after_enough_looks() {
    let mut s = Scene::new();
    for _ in 0..6 {
        s.see("tea", &[(1, Some(stranger()))]);
    }
    assert_eq!(s.visits.who(TrackId(1)), TrackState::Stranger);
    s.see_ended("tea", &[], &[1]);
    assert_eq!((s.visits.tracks(), s.visits.who(TrackId(1))), (0, TrackState::Undecided));
}

#[test]
fn a_broken_track_does_not_end_the_visit() {
    let mut s = Scene::new();
    for _ in 0..3 {
        s.see("tea", &[(1, Some(like(ANNA, 0.6)))]);
    }
    s.see_ended("tea", &[], &[1]);
    s.wait(2000);
    for _ in 0..3 {
        s.see("tea", &[(2, Some(like(ANNA, 0.6)))]);
    }
    assert_eq!(s.visits.who(TrackId(2)), TrackState::Member(ANNA));
    s.wait(3000);
    assert_eq!((s.entered().len(), s.left()), (1, 0));
    s.wait(2000);
    assert_eq!(s.left(), 1);
}

#[test]
fn a_member_is_in_one_zone_at_a_time() {
    let mut s = Scene::new();
    for _ in 0..3 {
        s.see("tea", &[(1, Some(like(ANNA, 0.6)))]);
    }
    // Still seen at the tea: a look-alike at the coffee is not believed.
    for _ in 0..10 {
        s.see("tea", &[(1, None)]);
        s.see("coffee", &[(2, Some(like(ANNA, 0.6)))]);
    }
    assert_eq!(s.entered().len(), 1);
    // No longer seen at the tea: now it is believed, and the first visit ends.
    s.see_ended("tea", &[], &[1]);
    s.wait(1100);
    s.see("coffee", &[(2, Some(like(ANNA, 0.6)))]);
    assert_eq!(s.entered(), [(ANNA, "tea".into()), (ANNA, "coffee".into())]);
    assert_eq!(s.left(), 1);
    assert_eq!(s.visits.present().map(|p| p.1.to_string()).collect::<Vec<_>>(), ["coffee"]);
}

#[test]
fn of_two_faces_that_claim_one_member_only_the_better_is_believed() {
    let mut s = Scene::new();
    for _ in 0..5 {
        s.see("tea", &[(1, Some(like(ANNA, 0.5))), (2, Some(like(ANNA, 0.51)))]);
    }
    assert_eq!(s.visits.who(TrackId(2)), TrackState::Member(ANNA));
    assert_eq!(s.visits.who(TrackId(1)), TrackState::Undecided);
    // The member arrives beside the one who was taken for them.
    for _ in 0..4 {
        s.see("tea", &[(2, Some(like(ANNA, 0.5))), (3, Some(like(ANNA, 0.75)))]);
    }
    assert_eq!(s.visits.who(TrackId(3)), TrackState::Member(ANNA));
    assert_eq!(s.visits.who(TrackId(2)), TrackState::Undecided);
    assert_eq!((s.entered().len(), s.left()), (1, 0));
}

#[test]
fn a_track_that_turns_out_to_be_somebody_else_is_taken_back() {
    let mut s = Scene::new();
    for _ in 0..3 {
        s.see("tea", &[(1, Some(like(ANNA, 0.6)))]);
    }
    for _ in 0..3 {
        s.see("tea", &[(1, Some(like(ANNA, 0.38)))]);
    }
    assert_eq!(s.visits.who(TrackId(1)), TrackState::Member(ANNA), "weak looks are no doubt");
    for _ in 0..5 {
        s.see("tea", &[(1, Some(like(BERT, 0.6)))]);
    }
    assert_eq!(s.visits.who(TrackId(1)), TrackState::Member(BERT));
    s.wait(3850);
    assert_eq!(s.left(), 1, "the first visit ends for want of a face");
    assert_eq!(s.visits.present().map(|p| p.0).collect::<Vec<_>>(), [BERT]);
}

#[test]
fn not_this_person_ends_the_visit_and_holds_while_they_stand_there() {
    let mut s = Scene::new();
    for _ in 0..3 {
        s.see("tea", &[(1, Some(like(ANNA, 0.5)))]);
    }
    let now = s.clock.now();
    assert!(s.visits.dismiss(ANNA, &zone("coffee"), now).is_empty());
    assert_eq!(s.visits.dismiss(ANNA, &zone("tea"), now).len(), 1);
    // The same track, then a new track of the same person, for longer than any memory.
    for _ in 0..100 {
        s.see("tea", &[(1, Some(like(ANNA, 0.5)))]);
    }
    for _ in 0..100 {
        s.see_ended("tea", &[(2, Some(like(ANNA, 0.5)))], &[1]);
    }
    assert_eq!(s.entered().len(), 1);
    // They go; the member comes.
    s.see_ended("tea", &[], &[2]);
    s.wait(4100);
    for _ in 0..3 {
        s.see("tea", &[(3, Some(like(ANNA, 0.7)))]);
    }
    assert_eq!(s.entered().len(), 2);
}

#[test]
fn an_erased_member_is_gone_at_once_and_the_kill_switch_empties_the_shop() {
    let mut s = Scene::new();
    for _ in 0..3 {
        s.see("tea", &[(1, Some(like(ANNA, 0.6))), (2, Some(like(BERT, 0.6)))]);
    }
    assert_eq!(s.visits.forget(ANNA).len(), 1);
    assert_eq!(s.visits.who(TrackId(1)), TrackState::Undecided);
    assert_eq!(s.visits.present().map(|p| p.0).collect::<Vec<_>>(), [BERT]);
    assert_eq!(s.visits.clear().len(), 1);
    assert_eq!((s.visits.tracks(), s.visits.present().count()), (0, 0));
}

#[test]
fn thousands_of_strangers_leave_nothing_behind() {
    let mut s = Scene::new();
    for track in 0..5000 {
        // Half of them are never ended by their camera.
        let ended = if track % 2 == 0 { vec![track] } else { vec![] };
        s.see("tea", &[(track, Some(stranger()))]);
        s.see_ended("tea", &[], &ended);
        assert!(s.visits.tracks() < 200, "{} tracks kept", s.visits.tracks());
    }
    s.wait(16_000);
    assert_eq!((s.visits.tracks(), s.visits.refusals.len(), s.visits.visits.len()), (0, 0, 0));
    assert!(s.said.is_empty());
}

proptest! {
    #[test]
    fn strangers_never_enter_however_long_they_stay(
        looks in proptest::collection::vec((1u64..4, -1f32..THRESHOLD, -1f32..1.0, 0i64..3), 1..400)
    ) {
        let mut s = Scene::new();
        for (track, score, second, member) in looks {
            let found = Match { best: Some((MemberId(member), score.min(THRESHOLD - 1e-4))), second };
            s.see("tea", &[(track, Some(found))]);
        }
        prop_assert!(s.said.is_empty());
        prop_assert_eq!(s.visits.present().count(), 0);
    }

    #[test]
    fn enters_and_leaves_alternate_whatever_is_seen(
        looks in proptest::collection::vec((0usize..2, 1u64..5, 0f32..1.0, 1i64..4, 0u64..3000, any::<bool>()), 1..200)
    ) {
        let mut s = Scene::new();
        for (place, track, score, member, pause, ended) in looks {
            // A track belongs to one camera.
            let (place, track) = (["tea", "coffee"][place], track + 10 * place as u64);
            let face = [(track, Some(like(MemberId(member), score)))];
            if ended { s.see_ended(place, &[], &[track]); } else { s.see(place, &face); }
            s.wait(pause);
        }
        s.wait(60_000);
        let mut inside = HashMap::new();
        for change in &s.said {
            match change {
                Presence::Entered { member, zone, votes, score, .. } => {
                    prop_assert!(inside.insert(*member, zone.clone()).is_none(), "entered twice");
                    prop_assert!(*votes >= 3 && *score >= THRESHOLD);
                }
                Presence::Dwelt { member, zone, .. } => prop_assert_eq!(inside.get(member), Some(zone)),
                Presence::Left { member, zone, entered, at } => {
                    let was = inside.remove(member);
                    prop_assert_eq!(was.as_ref(), Some(zone));
                    prop_assert!(at.mono + Duration::from_millis(1) > entered.mono);
                }
            }
        }
        prop_assert!(inside.is_empty());
    }

    #[test]
    fn a_jump_of_the_wall_clock_changes_nothing(
        jumps in proptest::collection::vec(-10_000_000i64..10_000_000, 40)
    ) {
        let run = |jumps: &[i64]| {
            let mut s = Scene::new();
            for (k, jump) in jumps.iter().enumerate() {
                if let Clock::Simulated(now) = &s.clock {
                    now.lock().unwrap().utc = Timestamp::from_second(1_700_000_000 + jump).unwrap();
                }
                let faces: &[_] = if k % 20 < 10 { &[(1, Some(like(ANNA, 0.6)))] } else { &[] };
                s.see("tea", faces);
                s.wait(450);
            }
            let kind = |p: &Presence| match p {
                Presence::Entered { at, .. } => ("entered", at.mono),
                Presence::Dwelt { at, .. } => ("dwelt", at.mono),
                Presence::Left { at, .. } => ("left", at.mono),
            };
            s.said.iter().map(kind).collect::<Vec<_>>()
        };
        let steady = run(&[0; 40]);
        prop_assert!(steady.iter().any(|s| s.0 == "left"));
        prop_assert_eq!(run(&jumps), steady);
    }
}
