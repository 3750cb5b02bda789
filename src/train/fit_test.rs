//! Training as a whole: it learns, it can be interrupted, and chance is seeded.

use super::checkpoint::Checkpoint;
use super::fit::fit;
use super::gradient_test::small_store;
use super::recipe::Recipe;
use super::without::Without;
use std::ops::ControlFlow;

fn recipe() -> Recipe {
    let small = Recipe::for_members(0);
    Recipe { table: 3, basket: 4, rhythm: 3, repeat: [5, 4], batch: 4, epochs: 3, seeds: 2, ..small }
}

#[test]
fn an_interrupted_training_ends_in_the_same_model() {
    let dataset = small_store();
    let mut losses = Vec::new();
    let whole = fit(&dataset, &recipe(), 7, Without::default(), None, &mut |p| {
        losses.push(p.loss);
        ControlFlow::Continue(())
    });
    assert_eq!(losses.len(), 6);
    for stop in 1..6 {
        let (mut told, mut kept) = (0, Vec::new());
        let stopped = fit(&dataset, &recipe(), 7, Without::default(), None, &mut |p| {
            told += 1;
            kept = p.checkpoint.to_bytes();
            if told == stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert!(stopped.is_none());
        let checkpoint = Checkpoint::from_bytes(&kept).unwrap();
        let mut more = 0;
        let resumed = fit(&dataset, &recipe(), 7, Without::default(), Some(checkpoint), &mut |_| {
            more += 1;
            ControlFlow::Continue(())
        });
        assert_eq!(more, 6 - stop, "epochs already done are not done again");
        assert!(resumed == whole && resumed.is_some());
    }
}

#[test]
fn a_checkpoint_of_other_receipts_or_another_seed_is_not_resumed() {
    let dataset = small_store();
    let mut kept = None;
    fit(&dataset, &recipe(), 7, Without::default(), None, &mut |p| {
        kept = Some(p.checkpoint.clone());
        ControlFlow::Break(())
    });
    let mut other = dataset.clone();
    other.corpus.histories[0][0].items = vec![8];
    for (dataset, seed) in [(&other, 7), (&dataset, 8)] {
        let mut epochs = 0;
        fit(dataset, &recipe(), seed, Without::default(), kept.clone(), &mut |_| {
            epochs += 1;
            ControlFlow::Continue(())
        });
        assert_eq!(epochs, 6);
    }
}

#[test]
fn damaged_checkpoints_are_refused() {
    let mut kept = Vec::new();
    fit(&small_store(), &recipe(), 7, Without::default(), None, &mut |p| {
        kept = p.checkpoint.to_bytes();
        ControlFlow::Break(())
    });
    for end in (0..kept.len()).step_by(97) {
        assert!(Checkpoint::from_bytes(&kept[..end]).is_err());
    }
}

#[test]
fn training_lowers_the_loss() {
    let mut losses = Vec::new();
    let longer = Recipe { epochs: 60, seeds: 1, dropout: 0.0, ..recipe() };
    fit(&small_store(), &longer, 7, Without::default(), None, &mut |p| {
        losses.push(p.loss);
        ControlFlow::Continue(())
    });
    assert!(losses[59] < losses[0] - 0.1, "{losses:?}");
}
