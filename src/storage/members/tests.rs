//! Promises about members.

use super::*;
use crate::storage::fixture::{Shop, at, consent, new_member};

#[test]
fn a_member_is_found_by_card_alias_and_number() {
    let shop = Shop::new();
    let anna = shop.member(Scope::Face);
    assert_eq!(anna.token.len(), 20);
    for found in [
        shop.store.member(anna.id),
        shop.store.member_by_token(&anna.token),
        shop.store.member_by_alias(&anna.alias.to_lowercase()),
    ] {
        assert_eq!(found.unwrap().as_ref(), Some(&anna));
    }
    assert_eq!(shop.store.members().unwrap(), [anna]);
}

#[test]
fn names_and_contacts_are_sealed_on_disk_and_opening_them_is_audited() {
    let shop = Shop::new();
    let anna = shop.member(Scope::Card);
    for entry in std::fs::read_dir(shop.folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("Anna") && !text.contains("example.org"), "{}", path.display());
    }
    let details = shop.store.details(anna.id, "ben", at(5)).unwrap();
    assert_eq!(details.name.as_deref(), Some("Anna Example"));
    assert_eq!(details.contact.as_deref(), Some("anna@example.org"));
    let (_, last) = shop.store.audited(1).unwrap().remove(0);
    assert_eq!((last.action, last.by.as_str(), last.member), (Action::View, "ben", Some(anna.id)));
}

#[test]
fn a_member_without_a_proper_consent_is_refused() {
    let shop = Shop::new();
    let mut no_reference = new_member(Scope::Face);
    no_reference.consent.reference = " ".into();
    let mut unknown_text = new_member(Scope::Face);
    unknown_text.consent.version = "1999".into();
    for new in [no_reference, unknown_text] {
        assert!(matches!(shop.store.add_member(new), Err(StorageError::Invalid(_))));
    }
    assert!(shop.store.members().unwrap().is_empty());
}

#[test]
fn the_shops_own_consent_text_can_be_used_but_not_reworded() {
    let shop = Shop::new();
    shop.store.add_consent_text("shop-1", "I agree.").unwrap();
    shop.store.add_consent_text("shop-1", "I agree.").unwrap();
    assert!(shop.store.add_consent_text("shop-1", "I agree to everything.").is_err());
    let mut new = new_member(Scope::Face);
    new.consent.version = "shop-1".into();
    assert!(shop.store.add_member(new).is_ok());
}

#[test]
fn a_card_has_one_owner() {
    let shop = Shop::new();
    let new = || NewMember { token: Some("CARD-1".into()), ..new_member(Scope::Card) };
    shop.store.add_member(new()).unwrap();
    assert!(matches!(shop.store.add_member(new()), Err(StorageError::TokenTaken)));
    assert!(matches!(
        shop.store.add_members(vec![new_member(Scope::Card), new()]),
        Err(StorageError::TokenTaken)
    ));
    assert_eq!(shop.store.members().unwrap().len(), 1, "all or none");
    assert_eq!(shop.store.parts.vault.keys().unwrap().len(), 1, "no key is left of those refused");
}

#[test]
fn consent_to_recognition_can_be_given_later() {
    let shop = Shop::new();
    let anna = shop.member(Scope::Card);
    assert!(!anna.face_consent);
    shop.store.add_consent(anna.id, consent(Scope::Face), "test").unwrap();
    assert!(shop.store.member(anna.id).unwrap().unwrap().face_consent);
    let nobody = shop.store.add_consent(MemberId(99), consent(Scope::Face), "test");
    assert!(matches!(nobody, Err(StorageError::NoSuchMember(_))));
}
