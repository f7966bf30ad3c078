use std::rc::Rc;

use stockade_domain::{
    Owner, ProductId, Refusal, ShopId, WarehouseId,
    adjustment::takes,
    catalogue::{Catalogue, CatalogueCommand, CatalogueEvent},
    open::{Part, part},
};

use super::{
    Outcome,
    stocks::{count, give, take_all},
};
use crate::{
    Error,
    context::By,
    job::CatalogueThing,
    lane::{Lane, guarded},
};

/// Runs a command on the catalogue, to the end of its gives.
pub(super) async fn command(
    lane: &Rc<Lane>,
    by: &By,
    command: &CatalogueCommand,
) -> Outcome<CatalogueThing> {
    let at = lane.now();
    if let Some(counting) = guarded(|| Ok(lane.catalogue.borrow().counting(command, at)?))? {
        let Some((event, seen)) = count(lane, by, &counting).await? else {
            return Ok((named(&lane.catalogue.borrow(), command)?, None));
        };
        lane.catalogue.borrow_mut().evolve(&event);
        return Ok((thing(&event), Some(seen)));
    }
    let decided = guarded(|| Ok(lane.catalogue.borrow().decide(command, at)?))?;
    let Some(event) = decided else {
        return Ok((named(&lane.catalogue.borrow(), command)?, None));
    };
    // The catalogue does one thing at a time, so what was decided still holds when its minus was taken.
    if let CatalogueEvent::ProductUpdated { product, recount: Some(recount) } = &event {
        let takes: Vec<_> = takes(std::slice::from_ref(recount)).collect();
        take_all(lane, Owner::product(product.id), product.step(), &takes).await?;
    }
    let mut seen = lane.decide(by, [event.clone().into()])?;
    lane.catalogue.borrow_mut().evolve(&event);
    let thing = thing(&event);
    if let Part::Decided(owner, step, gives) = part(&event.into()) {
        seen = seen.max(give(lane, owner, step, gives).await?.unwrap_or(seen));
    }
    Ok((thing, Some(seen)))
}

/// What an event is about, as it is now.
pub(crate) fn thing(event: &CatalogueEvent) -> CatalogueThing {
    match event {
        CatalogueEvent::ProductCreated { product, .. }
        | CatalogueEvent::ProductUpdated { product, .. }
        | CatalogueEvent::ProductArchived { product } => CatalogueThing::Product(product.clone()),
        CatalogueEvent::ShopCreated(shop) | CatalogueEvent::ShopUpdated(shop) => {
            CatalogueThing::Shop(shop.clone())
        }
        CatalogueEvent::WarehouseCreated(warehouse)
        | CatalogueEvent::WarehouseUpdated(warehouse)
        | CatalogueEvent::WarehouseStatusChanged(warehouse) => {
            CatalogueThing::Warehouse(warehouse.clone())
        }
    }
}

/// What a command that changes nothing is about.
fn named(catalogue: &Catalogue, command: &CatalogueCommand) -> Result<CatalogueThing, Error> {
    let product = |id: ProductId| {
        let product = catalogue.product(id).cloned();
        product.map(CatalogueThing::Product).ok_or(Refusal::NotFound { kind: "product", id: id.0 })
    };
    let shop = |id: ShopId| catalogue.shop(id).cloned().map(CatalogueThing::Shop);
    let warehouse =
        |id: WarehouseId| catalogue.warehouse(id).cloned().map(CatalogueThing::Warehouse);
    Ok(match command {
        CatalogueCommand::ChangeProduct { id, .. }
        | CatalogueCommand::ArchiveProduct { id, .. } => product(*id)?,
        CatalogueCommand::ChangeShop { id, .. } => shop(*id)?,
        CatalogueCommand::ChangeWarehouse { id, .. } => warehouse(*id)?,
        CatalogueCommand::CreateProduct(_)
        | CatalogueCommand::CreateShop(_)
        | CatalogueCommand::CreateWarehouse(_) => unreachable!("creating changes something"),
    })
}
