//! What the shelf must never lose: the last good model.

use super::*;
use crate::recommend::ranker::evidence::TERMS;
use crate::recommend::ranker::item_table::ItemTable;
use crate::recommend::ranker::weights::{Shape, Weights};
use crate::train::gradient_test::small_store;
use crate::train::recipe::Recipe;
use jiff::Timestamp;
use proptest::prelude::*;

fn learned(seed: f32) -> Learned {
    let shape = Shape { items: 4, table: 2, basket: 2, rhythm: 2, repeat: [3, 2] };
    let mut weights = Weights::zeros(shape);
    weights.values.iter_mut().enumerate().for_each(|(i, w)| *w = (i as f32 * seed).sin());
    Learned {
        table: ItemTable { columns: 2, values: vec![0.5; 8] },
        networks: vec![weights],
        emphasis: [0.0; TERMS],
    }
}

fn products() -> Vec<ProductId> {
    [3, 5, 70, i64::MAX].map(ProductId).to_vec()
}

fn card(second: i64) -> Card {
    let at = Timestamp::from_second(second).unwrap();
    Card::new(&small_store(), &Recipe::for_members(1), 1, [at; 2], &[])
}

fn put(shelf: &Shelf, n: u8) -> String {
    let id = shelf.put(&learned(f32::from(n) + 0.1), &products(), card(n.into())).unwrap();
    shelf.make_live(&id).unwrap();
    id
}

fn shelf() -> (tempfile::TempDir, Shelf) {
    let folder = tempfile::tempdir().unwrap();
    let shelf = Shelf::of_store(folder.path());
    (folder, shelf)
}

#[test]
fn what_is_put_is_had_again_and_only_what_is_made_live_is_live() {
    let (_folder, shelf) = shelf();
    assert_eq!(
        (shelf.live_id().unwrap(), shelf.live().unwrap(), shelf.roll_back().unwrap()),
        (None, None, None)
    );
    assert_eq!(shelf.list().unwrap(), []);
    let id = shelf.put(&learned(0.3), &products(), card(9)).unwrap();
    assert_eq!(shelf.live_id().unwrap(), None);
    shelf.make_live(&id).unwrap();
    let live = shelf.live().unwrap().unwrap();
    assert_eq!((live.id, live.products), (id.clone(), products()));
    assert_eq!(live.learned, Learned::from_bytes(&learned(0.3).to_bytes()).unwrap());
    assert_eq!(shelf.put(&learned(0.3), &products(), card(9)).unwrap(), id, "the same model, the same name");
    assert!(shelf.list().unwrap()[0].live);
    assert!(matches!(shelf.make_live("../../etc/passwd"), Err(ShelfError::Unknown(_))));
}

#[test]
fn rolling_back_goes_one_back_at_a_time_and_stops_at_the_first() {
    let (_folder, shelf) = shelf();
    let ids: Vec<String> = (1..=3).map(|n| put(&shelf, n)).collect();
    assert_eq!(shelf.roll_back().unwrap().as_ref(), Some(&ids[1]));
    assert_eq!(shelf.live_id().unwrap().as_ref(), Some(&ids[1]));
    assert_eq!(shelf.roll_back().unwrap().as_ref(), Some(&ids[0]));
    assert_eq!(shelf.roll_back().unwrap(), None);
    assert_eq!(shelf.live_id().unwrap().as_ref(), Some(&ids[0]), "the last one stays");
    shelf.make_live(&ids[2]).unwrap();
    assert_eq!(shelf.live_id().unwrap().as_ref(), Some(&ids[2]));
}

#[test]
fn a_handful_of_models_is_kept() {
    let (folder, shelf) = shelf();
    let ids: Vec<String> = (1..=8).map(|n| put(&shelf, n)).collect();
    let left: Vec<String> = shelf.list().unwrap().into_iter().map(|m| m.id).collect();
    assert_eq!(left, ids[3..].iter().rev().cloned().collect::<Vec<_>>());
    assert_eq!(fs::read_dir(folder.path().join("ranker")).unwrap().count(), 2 * KEPT + 1);
}

#[test]
fn a_damaged_model_is_refused_in_words_and_the_one_before_it_is_had() {
    let (_folder, shelf) = shelf();
    let (first, second) = (put(&shelf, 1), put(&shelf, 2));
    let file = shelf.file(&second);
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, &bytes).unwrap();
    let said = shelf.live().unwrap_err().to_string();
    assert!(said.contains(&*file.to_string_lossy()) && said.contains("--roll-back"), "{said}");
    assert!(shelf.make_live(&second).is_err());
    let (good, refused) = shelf.last_good();
    assert_eq!((good.unwrap().id, refused.len()), (first, 1));
    fs::write(shelf.folder.join("live"), "not a name\n").unwrap();
    assert!(matches!(shelf.live_id(), Err(ShelfError::Damaged { .. })));
}

#[test]
fn a_model_whose_products_are_not_its_own_is_refused() {
    let (_folder, shelf) = shelf();
    let short = products()[1..].to_vec();
    let twice = [3, 5, 5, 9].map(ProductId).to_vec();
    for wrong in [short, twice] {
        assert!(shelf.put(&learned(0.3), &wrong, card(9)).is_err());
    }
    assert_eq!(shelf.list().unwrap(), []);
}

proptest! {
    #[test]
    fn any_damage_to_a_model_file_is_read_or_refused(at in any::<prop::sample::Index>(), value in any::<u8>(), end in any::<prop::sample::Index>()) {
        let mut tensors = learned(0.3).to_tensors();
        tensors.put_whole(PRODUCTS, products().iter().map(|p| p.0).collect());
        let mut bytes = tensors.to_bytes();
        let at = at.index(bytes.len());
        bytes[at] = value;
        let _ = parse(&bytes);
        let end = end.index(bytes.len());
        prop_assert!(parse(&bytes[..end]).is_err());
    }

    #[test]
    fn any_list_of_live_models_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        let (_folder, shelf) = shelf();
        fs::create_dir_all(shelf.folder()).unwrap();
        fs::write(shelf.folder().join("live"), &bytes).unwrap();
        if let Ok(Some(id)) = shelf.live_id() {
            prop_assert!(is_id(&id));
        }
        prop_assert!(shelf.live().map_or(true, |m| m.is_none()));
    }
}
