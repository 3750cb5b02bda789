//! The kiosks' counterpart: what a shopper does at a kiosk, one session at a time each.
//!
//! What always holds:
//! - A consent is pressed before the first frame is looked at for joining, and is on disk before the
//!   first template. What is broken off leaves nothing: frames and vectors are in this memory only.
//! - A session belongs to one kiosk and at most one member; when somebody else stands there, when it
//!   is ended, or when nobody touched the kiosk for its timeout, all of it is dropped.
//! - What a member asks for (export, pause, erasure) is answered after the commit, and audited.

mod declaring;
mod joining;

use super::decide::{AskAlike, Input, ask};
use super::models::{self, NewEyes};
use super::stocktake;
use crate::camera::{Cameras, decode};
use crate::clock::{Clock, Now};
use crate::display::{KioskSettings, StoreSettings};
use crate::gallery::{Gallery, enrolment};
use crate::id::{DisplayId, MemberId};
use crate::privacy::audit::{Action, Audited};
use crate::privacy::{Consent, Scope, consent, pseudonym};
use crate::profile::Profile;
use crate::publish::Desired;
use crate::recommend::{Audience, Language, Product, portrait};
use crate::storage::{Member, NewMember, StorageError, Store};
use crate::vision::{Eyes, code};
use crate::web::{
    AlikeView, ConsentGiven, Erased, Fault, Joined, KioskAct, KioskAnswer, KioskHint, KioskRequest, Mine,
    Refused,
};
use jiff::tz::TimeZone;
use joining::{Joining, Step};
use std::collections::BTreeMap;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long an export waits for its one reader.
const EXPORT_WAITS: Duration = Duration::from_secs(300);
/// Cards tried in vain before a kiosk takes none for a while.
const WRONG_CARDS: u32 = 8;
/// That while.
const WRONG_PAUSE: Duration = Duration::from_secs(60);
/// Products that are shown as like another.
const ALIKE: usize = 4;

/// What the desk works with.
pub struct Means {
    /// Members.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// Who is told of cards and erasures.
    pub decider: SyncSender<Input>,
    /// Where frames of someone who wants to be recognised go.
    pub cameras: Arc<Cameras>,
    /// Who is served where.
    pub desired: Desired,
    /// Models that a reload brought.
    pub new_eyes: NewEyes,
    /// The score that a match needs, if the settings say.
    pub threshold: Option<f32>,
    /// Currency and time zone.
    pub shop: StoreSettings,
}

/// The desk of all kiosks.
pub struct Desk {
    means: Means,
    kiosks: Vec<KioskSettings>,
    eyes: Mutex<(Eyes, u64)>,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    sessions: BTreeMap<DisplayId, Session>,
    exports: BTreeMap<String, (MemberId, String, Now)>,
    wrong: BTreeMap<DisplayId, (u32, Now)>,
}

/// One shopper at one kiosk.
struct Session {
    token: String,
    began: Now,
    touched: Now,
    doing: Doing,
    /// Who showed a card, or joined.
    card: Option<MemberId>,
    /// Who was recognised while it lasted.
    seen: Option<MemberId>,
}

enum Doing {
    Nothing,
    Looking,
    ReadingCard,
    Joining(Box<Joining>),
}

impl Desk {
    /// A desk for these kiosks.
    pub fn new(kiosks: Vec<KioskSettings>, eyes: Eyes, means: Means) -> Self {
        Self { means, kiosks, eyes: Mutex::new((eyes, 0)), open: Mutex::default() }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends sessions that nobody touched, and forgets exports that nobody read. For every second.
    pub fn tidy(&self) {
        let now = self.means.clock.now();
        let mut open = self.open();
        for kiosk in &self.kiosks {
            let late = |s: &Session| now.since(s.touched) > kiosk.timeout;
            if open.sessions.get(&kiosk.id).is_some_and(late) {
                self.end(&mut open, &kiosk.id);
            }
        }
        open.exports.retain(|_, (_, _, at)| now.since(*at) < EXPORT_WAITS);
    }

    /// An export, once.
    pub fn export(&self, code: &str) -> Option<String> {
        self.open().exports.remove(code).map(|(_, text, _)| text)
    }

    /// Does what a shopper asked for.
    pub fn serve(&self, request: KioskRequest) -> Result<KioskAnswer, Refused> {
        let KioskRequest { kiosk, session, act } = request;
        let now = self.means.clock.now();
        let Some(settings) = self.kiosks.iter().find(|k| k.id == kiosk) else {
            return Err(bad("there is no kiosk of this name", "open one from the first page"));
        };
        let mut open = self.open();
        if matches!(act, KioskAct::Begin) {
            self.end(&mut open, &kiosk);
            let token = pseudonym::token();
            let (doing, card, seen) = (Doing::Nothing, None, None);
            open.sessions
                .insert(kiosk, Session { token: token.clone(), began: now, touched: now, doing, card, seen });
            let (every_ms, timeout_ms) = (settings.every.as_millis(), settings.timeout.as_millis());
            return Ok(KioskAnswer::Begun {
                session: token,
                every_ms: every_ms as u64,
                timeout_ms: timeout_ms as u64,
            });
        }
        let Some(current) = open.sessions.get_mut(&kiosk).filter(|s| session.as_ref() == Some(&s.token))
        else {
            return Ok(KioskAnswer::Ended);
        };
        let served = self.served(settings, current.began, now);
        // Somebody else stands there, or nobody any more: what was opened is closed.
        let changed = current.seen.is_some() && current.card.is_none() && served != current.seen;
        if changed || now.since(current.touched) > settings.timeout || matches!(act, KioskAct::End) {
            self.end(&mut open, &kiosk);
            return Ok(KioskAnswer::Ended);
        }
        current.seen = current.seen.or(served.filter(|_| current.card.is_none()));
        if !matches!(act, KioskAct::Frame(_)) || current.seen.is_some() {
            current.touched = now;
        }
        let member = current.card.or(current.seen);
        match act {
            KioskAct::Begin | KioskAct::End => Ok(KioskAnswer::Ended),
            KioskAct::Touch => Ok(KioskAnswer::Noted),
            KioskAct::Look => {
                current.doing = Doing::Looking;
                Ok(KioskAnswer::Looking { recognised: current.seen.is_some() })
            }
            KioskAct::Read => {
                current.doing = Doing::ReadingCard;
                Ok(KioskAnswer::Reading)
            }
            KioskAct::Card { code } => self.card(&mut open, settings, &code, now),
            KioskAct::Agree { scope, language, old_enough } => {
                if !old_enough {
                    return Ok(KioskAnswer::TooYoung);
                }
                let consent = given(settings, scope, language, now);
                if scope == Scope::Face {
                    current.doing = Doing::Joining(Box::new(Joining::new(consent)));
                    return Ok(KioskAnswer::Joining {
                        good: 0,
                        of: enrolment::FACES,
                        hint: KioskHint::LookHere,
                    });
                }
                let member = self.join(settings, consent).map_err(refused)?;
                Ok(self.joined(current, settings, &member, false))
            }
            KioskAct::Frame(bytes) => self.frame(&mut open, settings, bytes.to_vec(), now),
            KioskAct::Mine { language } => self.mine(known(member)?, language, &by(settings), now),
            KioskAct::Pause { on } => {
                let member = known(member)?;
                // Whoever pauses is not recognised any more, and goes on by the session alone.
                current.card = Some(member);
                self.means.store.pause(member, on, &by(settings), now.utc).map_err(refused)?;
                self.tell(Input::Card(kiosk, Some(member)));
                self.tell(Input::Members);
                Ok(KioskAnswer::Paused { on })
            }
            KioskAct::Facts { language } => self.facts(known(member)?, language),
            KioskAct::Declare { facts, language } => {
                let member = known(member)?;
                self.means.store.declare(member, facts, &by(settings), now.utc).map_err(refused)?;
                self.tell(Input::Declared(member));
                self.facts(member, language)
            }
            KioskAct::Like { sku, language } => {
                let member = known(member)?;
                drop(open);
                self.alike(kiosk, member, sku, language)
            }
            KioskAct::List { skus } => self.list(&skus).map_err(refused),
            KioskAct::Export { .. } => {
                let member = known(member)?;
                let export = self.means.store.export(member, &by(settings), now.utc).map_err(refused)?;
                let text = serde_json::to_string_pretty(&export).unwrap_or_default();
                let code = pseudonym::token();
                open.exports.retain(|_, (m, ..)| *m != member);
                open.exports.insert(code.clone(), (member, text, now));
                Ok(KioskAnswer::Exported { code, minutes: EXPORT_WAITS.as_secs() / 60 })
            }
            KioskAct::Forget => {
                let member = known(member)?;
                let done = self.means.store.erase_member(member, &by(settings), now.utc).map_err(refused)?;
                open.exports.retain(|_, (m, ..)| *m != member);
                self.end(&mut open, &kiosk);
                self.tell(Input::Members);
                Ok(KioskAnswer::Forgotten(Erased {
                    at: done.at.to_zoned(self.zone()).strftime("%F %R").to_string(),
                    templates: done.templates,
                    visits: done.visits,
                    slates: done.slates,
                    receipts_kept: done.receipts_kept,
                    entry: done.audit_entry,
                }))
            }
        }
    }

    fn tell(&self, input: Input) {
        // Fails only while the daemon is ending.
        let _ = self.means.decider.send(input);
    }

    /// Whoever was here is gone, also for the cameras: who comes next must not meet their slate.
    fn end(&self, open: &mut Open, kiosk: &DisplayId) {
        let Some(session) = open.sessions.remove(kiosk) else { return };
        if session.card.is_some() {
            self.tell(Input::Card(kiosk.clone(), None));
        }
        if let Some(member) = session.seen {
            self.tell(Input::Gone(member));
        }
    }

    /// Whose slate the kiosk shows. Where a shopper opens the camera, a slate from before the session
    /// was for somebody else; a fixed camera of the shop may have recognised them before.
    fn served(&self, kiosk: &KioskSettings, began: Now, now: Now) -> Option<MemberId> {
        let screen = self.means.desired.watch(&kiosk.id)?;
        let screen = screen.borrow();
        let slate = screen.at(now.utc)?;
        match slate.audience {
            Audience::Personal { member } if kiosk.camera.is_none() || slate.made_at >= began.utc => {
                Some(member)
            }
            _ => None,
        }
    }

    fn card(
        &self,
        open: &mut Open,
        kiosk: &KioskSettings,
        code: &str,
        now: Now,
    ) -> Result<KioskAnswer, Refused> {
        let wrong = open.wrong.entry(kiosk.id.clone()).or_insert((0, now));
        if now.since(wrong.1) > WRONG_PAUSE {
            *wrong = (0, now);
        }
        if wrong.0 >= WRONG_CARDS {
            return Ok(KioskAnswer::Wait { seconds: WRONG_PAUSE.as_secs() });
        }
        match holder(&self.means.store, code).map_err(refused)? {
            None => {
                *wrong = (wrong.0 + 1, now);
                Ok(KioskAnswer::UnknownCard)
            }
            Some(member) => {
                open.wrong.remove(&kiosk.id);
                if let Some(session) = open.sessions.get_mut(&kiosk.id) {
                    session.doing = Doing::Nothing;
                    session.card = Some(member.id);
                }
                self.tell(Input::Card(kiosk.id.clone(), Some(member.id)));
                Ok(KioskAnswer::Carded)
            }
        }
    }

    fn frame(
        &self,
        open: &mut Open,
        kiosk: &KioskSettings,
        bytes: Vec<u8>,
        now: Now,
    ) -> Result<KioskAnswer, Refused> {
        let Some(session) = open.sessions.get_mut(&kiosk.id) else { return Ok(KioskAnswer::Ended) };
        let picture = |bytes: &[u8]| {
            decode::decode(bytes).map_err(|e| bad(&e.to_string(), "send one whole JPEG picture"))
        };
        match &mut session.doing {
            Doing::Nothing => Ok(KioskAnswer::Noted),
            Doing::Looking => {
                let Some(camera) = &kiosk.camera else { return Ok(KioskAnswer::Noted) };
                self.means
                    .cameras
                    .post(camera, bytes)
                    .map_err(|e| bad(&e.to_string(), "check the kiosk's camera in the configuration"))?;
                Ok(KioskAnswer::Looking { recognised: session.seen.is_some() })
            }
            Doing::ReadingCard => match code::read(&picture(&bytes)?) {
                Some(text) => self.card(open, kiosk, &text, now),
                None => Ok(KioskAnswer::Reading),
            },
            Doing::Joining(joining) => {
                let picture = picture(&bytes)?;
                let (seen, gallery, threshold) = self.look(&picture).map_err(refused)?;
                match joining.take(seen, &gallery, threshold, now) {
                    Step::Hint(hint) => {
                        Ok(KioskAnswer::Joining { good: joining.good(), of: enrolment::FACES, hint })
                    }
                    Step::Known => {
                        session.doing = Doing::Nothing;
                        Ok(KioskAnswer::Known)
                    }
                    Step::Done(faces, chosen) => {
                        let consent = joining.consent.clone();
                        let member = self.join(kiosk, consent).map_err(refused)?;
                        let templates = enrolment::templates(member.id, gallery.model(), &faces, &chosen);
                        let by = by(kiosk);
                        if let Err(error) =
                            self.means.store.add_templates(member.id, &templates, &by, now.utc)
                        {
                            // Half an enrolment is none.
                            self.means.store.erase_member(member.id, &by, now.utc).map_err(refused)?;
                            return Err(refused(error));
                        }
                        Ok(self.joined(session, kiosk, &member, true))
                    }
                }
            }
        }
    }

    /// Looks at a frame for an enrolment, with the gallery and threshold that it is compared by.
    #[allow(clippy::type_complexity)]
    fn look(
        &self,
        picture: &image::RgbImage,
    ) -> Result<
        (Result<(crate::vision::Embedding, crate::vision::Quality), crate::vision::EnrolError>, Gallery, f32),
        StorageError,
    > {
        let mut guard = self.eyes.lock().unwrap_or_else(PoisonError::into_inner);
        let (eyes, version) = &mut *guard;
        self.means.new_eyes.take_over(eyes, version);
        let seen = eyes.enrol(picture);
        let mut gallery = Gallery::new(eyes.model_id(), eyes.dimensions());
        let embedder = eyes.cards().embedder;
        let calibration = models::calibration(&embedder, self.means.store.folder());
        let threshold =
            self.means.threshold.unwrap_or(models::embedder(&embedder, calibration.as_ref()).threshold);
        drop(guard);
        if seen.is_ok() {
            gallery.extend(self.means.store.templates()?);
        }
        Ok((seen, gallery, threshold))
    }

    fn zone(&self) -> TimeZone {
        TimeZone::get(&self.means.shop.time_zone).unwrap_or(TimeZone::UTC)
    }

    fn alike(
        &self,
        display: DisplayId,
        member: MemberId,
        sku: String,
        language: Language,
    ) -> Result<KioskAnswer, Refused> {
        let asked =
            AskAlike { member, display, sku, items: ALIKE, for_a_slate: false, language: Some(language) };
        let found =
            ask(&self.means.decider, |reply| Input::Alike(asked, reply)).ok_or_else(super::inbox::busy)?;
        let items = found.into_iter().map(|alike| AlikeView::new(alike, &self.means.shop)).collect();
        Ok(KioskAnswer::Alike { items })
    }

    /// A list to take along: products by their present names, and where they stand.
    fn list(&self, skus: &[String]) -> Result<KioskAnswer, StorageError> {
        let products = self.means.store.products()?;
        let named = |sku: &String| products.iter().find(|p| p.sku == *sku && p.may_be_shown());
        let line = |p: &Product| match &p.place {
            Some(place) => format!("{} ({place})", p.name),
            None => p.name.clone(),
        };
        Ok(KioskAnswer::Listed { lines: skus.iter().filter_map(named).map(line).collect() })
    }

    fn join(&self, kiosk: &KioskSettings, consent: Consent) -> Result<Member, StorageError> {
        let by = by(kiosk);
        self.means.store.add_member(NewMember { token: None, name: None, contact: None, consent, by })
    }

    fn joined(
        &self,
        session: &mut Session,
        kiosk: &KioskSettings,
        member: &Member,
        face: bool,
    ) -> KioskAnswer {
        session.doing = Doing::Nothing;
        session.card = Some(member.id);
        self.tell(Input::Members);
        self.tell(Input::Card(kiosk.id.clone(), Some(member.id)));
        KioskAnswer::Joined(Joined { card: member.token.clone(), face })
    }

    fn facts(&self, id: MemberId, language: Language) -> Result<KioskAnswer, Refused> {
        let offered = declaring::offered(&self.means.store, id, language).map_err(refused)?;
        Ok(KioskAnswer::Facts { offered })
    }

    fn mine(&self, id: MemberId, language: Language, by: &str, now: Now) -> Result<KioskAnswer, Refused> {
        let store = &self.means.store;
        let read = || -> Result<Mine, StorageError> {
            let member = store.member(id)?.ok_or(StorageError::NoSuchMember(id))?;
            let detail = "own data, at the kiosk".to_owned();
            let entry =
                Audited { at: now.utc, by: by.to_owned(), action: Action::View, member: Some(id), detail };
            store.audit(entry)?;
            let zone = &self.zone();
            let day = |t: jiff::Timestamp| t.to_zoned(zone.clone()).strftime("%F").to_string();
            let consent =
                |c: Consent| ConsentGiven { face: c.scope == Scope::Face, version: c.version, at: day(c.at) };
            Ok(Mine {
                since: day(member.joined),
                card: member.token,
                templates: member.templates,
                paused: member.paused,
                consents: store.consents(id)?.into_iter().map(consent).collect(),
                knows: known_of(store, id, zone, language, now.utc)?,
            })
        };
        read().map(KioskAnswer::Mine).map_err(refused)
    }
}

/// What follows from a member's purchases, in sentences; nothing that may not be named on a screen.
pub fn known_of(
    store: &Store,
    id: MemberId,
    zone: &TimeZone,
    language: Language,
    now: jiff::Timestamp,
) -> Result<Vec<String>, StorageError> {
    let catalogue = stocktake::catalogue(store, zone, now)?;
    let profile = Profile::new(&store.history(id)?, now, zone, |p| catalogue.described(p));
    let name = |p| catalogue.get(p).filter(|p| p.may_be_named()).map(|p| p.name.clone());
    Ok(portrait::sentences(&profile, name, language))
}

/// The member with this card, as written or as a person types it.
pub fn holder(store: &Store, code: &str) -> Result<Option<Member>, StorageError> {
    let typed: String =
        code.chars().filter(|c| !c.is_whitespace() && *c != '-').collect::<String>().to_uppercase();
    for token in [code.trim(), typed.as_str()] {
        if pseudonym::is_token(token)
            && let Some(member) = store.member_by_token(token)?
        {
            return Ok(Some(member));
        }
    }
    Ok(None)
}

fn by(kiosk: &KioskSettings) -> String {
    format!("kiosk {}", kiosk.id)
}

fn given(kiosk: &KioskSettings, scope: Scope, language: Language, now: Now) -> Consent {
    let text = match language {
        Language::En => consent::TEXT,
        Language::Zh => consent::TEXT_ZH,
    };
    Consent {
        scope,
        version: text.0.to_owned(),
        reference: by(kiosk),
        action: format!("declared an age of {} or more and pressed \"I agree\"", kiosk.minimum_age),
        at: now.utc,
    }
}

fn known(member: Option<MemberId>) -> Result<MemberId, Refused> {
    member.ok_or_else(|| bad("nobody is recognised at this kiosk", "show a card, or look at the camera"))
}

fn bad(error: &str, remedy: &str) -> Refused {
    Refused::Bad(vec![Fault::new(error, "", remedy)])
}

fn refused(error: StorageError) -> Refused {
    super::inbox::refused(error)
}
