//! Fills an empty store with the demo's world, through the same doors as a real shop: catalogue,
//! members with consent, receipts, and enrolment of rendered photographs by the same models.

use super::world::World;
use crate::clock::Now;
use crate::gallery::{Gallery, enrolment};
use crate::id::MemberId;
use crate::privacy::{Consent, Scope, consent};
use crate::storage::{Card, NewLine, NewMember, NewProduct, NewReceipt, Store};
use crate::vision::Eyes;
use anyhow::{Context, bail};

/// Receipts stored in one transaction.
const BATCH: usize = 2_000;
/// Photographs taken of a member at most.
const PHOTOGRAPHS: usize = 12;
/// Good ones are enough; the three that fit best are used.
const GOOD: usize = 6;

/// A step of the preparation, for whoever shows progress: what, how far, of how many.
pub type Progress<'a> = dyn FnMut(&str, usize, usize) + 'a;

/// Writes `world` into `store` and enrols everybody with a face. Gives the members' ids, in the order
/// of `world.members`.
///
/// # Errors
/// The store refuses something, or a rendered face cannot be enrolled.
pub fn fill(
    world: &World,
    store: &Store,
    eyes: &mut Eyes,
    now: Now,
    progress: &mut Progress<'_>,
) -> anyhow::Result<Vec<MemberId>> {
    let products: Vec<NewProduct> = world.products.iter().map(new_product).collect();
    progress("products", 0, products.len());
    store.upsert_products(&products)?;

    let consented = |scope| Consent {
        scope,
        version: consent::TEXT.0.to_owned(),
        reference: "demo".to_owned(),
        action: "nobody: a rendered shopper".to_owned(),
        at: now.utc,
    };
    let new = world.members.iter().map(|m| NewMember {
        token: None,
        name: None,
        contact: None,
        consent: consented(if m.face.is_some() { Scope::Face } else { Scope::Card }),
        by: "demo".to_owned(),
    });
    progress("members", 0, world.members.len());
    let members: Vec<MemberId> = store.add_members(new.collect())?.into_iter().map(|m| m.id).collect();
    if members.len() != world.members.len() {
        bail!("{} of {} members were stored", members.len(), world.members.len());
    }

    let receipts = receipts(world, &members);
    for (done, batch) in receipts.chunks(BATCH).enumerate() {
        progress("receipts", done * BATCH, receipts.len());
        store.record_receipts(batch.to_vec())?;
    }

    let faces: Vec<usize> = (0..members.len()).filter(|i| world.members[*i].face.is_some()).collect();
    for (done, &i) in faces.iter().enumerate() {
        progress("enrolling rendered shoppers", done, faces.len());
        enrol(world, i, members[i], store, eyes, now)
            .with_context(|| format!("enrolling rendered shopper {i}"))?;
    }
    progress("ready", 1, 1);
    Ok(members)
}

fn new_product(product: &crate::recommend::Product) -> NewProduct {
    let p = product.clone();
    NewProduct {
        sku: p.sku,
        name: Some(p.name),
        price: Some(p.price),
        category: Some(p.category),
        brand: p.brand,
        attributes: Some(p.attributes),
        stock: Some(p.stock),
        place: p.place,
        withdrawn: Some(p.withdrawn),
        age_restricted: Some(p.age_restricted),
        sensitive: Some(p.sensitive),
    }
}

fn receipts(world: &World, members: &[MemberId]) -> Vec<NewReceipt> {
    let sku = |id: crate::id::ProductId| world.products.iter().find(|p| p.id == id).map(|p| p.sku.clone());
    let mut all = Vec::new();
    for (i, (member, id)) in world.members.iter().zip(members).enumerate() {
        for (n, basket) in member.baskets.iter().enumerate() {
            let line = |l: &crate::history::Line| {
                Some(NewLine {
                    sku: sku(l.product)?,
                    quantity: l.quantity,
                    unit_price: l.unit_price,
                    name: None,
                })
            };
            all.push(NewReceipt {
                id: format!("demo-{i}-{n}"),
                at: basket.at,
                member: Some(Card::Member(*id)),
                lines: basket.lines.iter().filter_map(line).collect(),
                source: "demo",
            });
        }
    }
    all
}

fn enrol(
    world: &World,
    number: usize,
    member: MemberId,
    store: &Store,
    eyes: &mut Eyes,
    now: Now,
) -> anyhow::Result<()> {
    // The cast is chosen so that nobody looks like anybody else: no search for an earlier enrolment.
    let nobody = Gallery::new(eyes.model_id(), eyes.dimensions());
    let threshold = eyes.card_threshold().0;
    let mut faces = Vec::new();
    for (position, photograph) in world.photos(number, PHOTOGRAPHS).iter().enumerate() {
        if let Ok((embedding, quality)) = eyes.enrol(photograph) {
            faces.push((position, embedding, quality));
        }
        if faces.len() == GOOD {
            break;
        }
    }
    let chosen = enrolment::choose(&faces, &nobody, threshold, true)?;
    let templates = enrolment::templates(member, &eyes.model_id(), &faces, &chosen);
    store.add_templates(member, &templates, "demo", now.utc)?;
    Ok(())
}
