use std::sync::Arc;

use super::{
    Attributes, Catalogue, CatalogueCommand, CatalogueEvent, NewProduct, NewShop, NewWarehouse,
    Product, ProductChange, Shop, ShopChange, StockDelta, Warehouse, WarehouseChange,
};
use crate::{
    Amount, ProductId, Refusal, ShopId, StockKey, Timestamp, WarehouseId,
    limits::{
        ATTRIBUTES_MAX, LONG_TEXT_MAX, ON_HAND_MAX, PAYMENT_DEADLINE_MS_MAX, PRICE_MAX,
        QUANTITY_MAX, SHOP_WAREHOUSES_MAX, TEXT_MAX,
    },
    refusal::{check_optional_text, check_text, check_units},
};

impl Catalogue {
    /// Decides a command. No event means that nothing would change. A total is not looked at: see [`Catalogue::counting`].
    ///
    /// # Errors
    /// A field out of range, a sku that is taken, an id that does not exist, or a stale version.
    #[doc = include_str!("../../docs/catalogue_decide.md")]
    pub fn decide(
        &self,
        command: &CatalogueCommand,
        at: Timestamp,
    ) -> Result<Option<CatalogueEvent>, Refusal> {
        match command {
            CatalogueCommand::CreateProduct(new) => self.create_product(new, at).map(Some),
            CatalogueCommand::ChangeProduct { id, expected, change } => {
                self.change_product(*id, *expected, change, at)
            }
            CatalogueCommand::ArchiveProduct { id, expected } => {
                let change = ProductChange { archived: Some(true), ..Default::default() };
                self.change_product(*id, *expected, &change, at)
            }
            CatalogueCommand::CreateShop(new) => self.create_shop(new, at).map(Some),
            CatalogueCommand::ChangeShop { id, expected, change } => {
                self.change_shop(*id, *expected, change, at)
            }
            CatalogueCommand::CreateWarehouse(new) => self.create_warehouse(new, at).map(Some),
            CatalogueCommand::ChangeWarehouse { id, expected, change } => {
                self.change_warehouse(*id, *expected, change, at)
            }
        }
    }

    fn create_product(&self, new: &NewProduct, at: Timestamp) -> Result<CatalogueEvent, Refusal> {
        let id = ProductId(self.products.len() as u64 + 1);
        let sku = match &new.sku {
            Some(sku) => sku.as_str().into(),
            None => self.made_up_sku(id),
        };
        let product = Product {
            id,
            sku,
            name: new.name.as_str().into(),
            description: new.description.as_str().into(),
            price: new.price,
            currency: new.currency,
            shops: new.shops.clone(),
            attributes: new.attributes.clone(),
            reference: new.reference.as_deref().map(Into::into),
            metadata: new.metadata.clone(),
            archived: false,
            version: 1,
            created_at: at,
            updated_at: at,
        };
        self.check_product(&product)?;
        self.check_sku(&product)?;
        if let Some((warehouse, quantity)) = new.opening {
            self.warehouse(warehouse)?;
            check_units("stock", quantity, QUANTITY_MAX)?;
        }
        let opening = new.opening.filter(|(_, quantity)| *quantity > 0);
        let opening = opening.map(|(warehouse, quantity)| (StockKey::new(warehouse, id), quantity));
        Ok(CatalogueEvent::ProductCreated { product: Arc::new(product), opening })
    }

    fn made_up_sku(&self, id: ProductId) -> Box<str> {
        let plain = format!("P{id}");
        let taken = |sku: &str| self.skus.contains_key(sku);
        if !taken(&plain) {
            return plain.into();
        }
        let free = (2_u64..).map(|n| format!("P{id}-{n}")).find(|sku| !taken(sku));
        free.expect("one of endlessly many skus is free").into()
    }

    fn change_product(
        &self,
        id: ProductId,
        expected: Option<u32>,
        change: &ProductChange,
        at: Timestamp,
    ) -> Result<Option<CatalogueEvent>, Refusal> {
        let before = self.product(id).ok_or(Refusal::NotFound { kind: "product", id: id.0 })?;
        let mut product = Product::clone(before);
        change.apply(&mut product);
        self.check_product(&product)?;
        check_version(expected, before.version)?;
        self.check_sku(&product)?;
        if product.archived && before.archived && (product != **before || change.recount.is_some())
        {
            return Err(Refusal::ProductArchived(id));
        }
        let recount = change.recount.filter(|recount| recount.delta != 0);
        if product == **before && recount.is_none() {
            return Ok(None);
        }
        let archived = product.archived && !before.archived;
        if let Some(recount) = recount {
            if archived {
                // `ProductArchived` adopts no take: the recount's minus would stay open for ever.
                return Err(Refusal::invalid("stock", "cannot change while it is archived"));
            }
            self.check_recount(id, recount)?;
        }
        product.version += 1;
        product.updated_at = at;
        let product = Arc::new(product);
        Ok(Some(if archived {
            CatalogueEvent::ProductArchived { product }
        } else {
            CatalogueEvent::ProductUpdated { product, recount }
        }))
    }

    fn check_recount(&self, id: ProductId, recount: StockDelta) -> Result<(), Refusal> {
        self.warehouse(recount.stock.warehouse)?;
        let more = QUANTITY_MAX as i64;
        let fewer = -(ON_HAND_MAX as i64);
        if recount.stock.product != id || !(fewer..=more).contains(&recount.delta) {
            let detail = format!("must change this product's stock by {fewer} to {more}");
            return Err(Refusal::invalid("stock", detail));
        }
        Ok(())
    }

    /// Checks what a caller says of a product, whatever it is now.
    fn check_product(&self, product: &Product) -> Result<(), Refusal> {
        check_text("sku", &product.sku, TEXT_MAX)?;
        check_text("name", &product.name, TEXT_MAX)?;
        check_optional_text("description", &product.description, LONG_TEXT_MAX)?;
        check_price(product.price)?;
        check_attributes("attributes", &product.attributes)?;
        check_attributes("metadata", &product.metadata)?;
        if let Some(reference) = &product.reference {
            check_text("reference", reference, TEXT_MAX)?;
        }
        product.shops.iter().try_for_each(|shop| self.shop(*shop).map(drop))
    }

    fn check_sku(&self, product: &Product) -> Result<(), Refusal> {
        match self.skus.get(&product.sku) {
            Some(owner) if *owner != product.id => Err(Refusal::SkuTaken(product.sku.to_string())),
            _ => Ok(()),
        }
    }

    fn create_shop(&self, new: &NewShop, at: Timestamp) -> Result<CatalogueEvent, Refusal> {
        let shop = Shop {
            id: ShopId(self.shops.len() as u64 + 1),
            name: new.name.as_str().into(),
            currency: new.currency,
            payment_deadline_ms: new.payment_deadline_ms,
            sourcing: new.sourcing,
            warehouses: new.warehouses.clone(),
            version: 1,
            created_at: at,
            updated_at: at,
        };
        self.check_shop(&shop)?;
        Ok(CatalogueEvent::ShopCreated(Arc::new(shop)))
    }

    fn change_shop(
        &self,
        id: ShopId,
        expected: Option<u32>,
        change: &ShopChange,
        at: Timestamp,
    ) -> Result<Option<CatalogueEvent>, Refusal> {
        let before = self.shop(id)?;
        let mut shop = Shop::clone(before);
        change.apply(&mut shop);
        self.check_shop(&shop)?;
        check_version(expected, before.version)?;
        if shop == **before {
            return Ok(None);
        }
        shop.version += 1;
        shop.updated_at = at;
        Ok(Some(CatalogueEvent::ShopUpdated(Arc::new(shop))))
    }

    fn check_shop(&self, shop: &Shop) -> Result<(), Refusal> {
        check_text("name", &shop.name, TEXT_MAX)?;
        check_deadline("payment_deadline_seconds", shop.payment_deadline_ms)?;
        let warehouses = shop.warehouses.as_deref().unwrap_or_default();
        if warehouses.len() > SHOP_WAREHOUSES_MAX {
            let detail = format!("must be at most {SHOP_WAREHOUSES_MAX} warehouses");
            return Err(Refusal::invalid("warehouse_ids", detail));
        }
        for (index, warehouse) in warehouses.iter().enumerate() {
            self.warehouse(*warehouse)?;
            if warehouses[..index].contains(warehouse) {
                let detail = format!("names warehouse {warehouse} twice");
                return Err(Refusal::invalid(format!("warehouse_ids/{index}"), detail));
            }
        }
        Ok(())
    }

    fn create_warehouse(
        &self,
        new: &NewWarehouse,
        at: Timestamp,
    ) -> Result<CatalogueEvent, Refusal> {
        let warehouse = Warehouse {
            id: WarehouseId(self.warehouses.len() as u64 + 1),
            name: new.name.as_str().into(),
            country: new.country.as_deref().map(Into::into),
            place_e6: new.place_e6,
            active: true,
            version: 1,
            created_at: at,
            updated_at: at,
        };
        check_warehouse(&warehouse)?;
        Ok(CatalogueEvent::WarehouseCreated(Arc::new(warehouse)))
    }

    fn change_warehouse(
        &self,
        id: WarehouseId,
        expected: Option<u32>,
        change: &WarehouseChange,
        at: Timestamp,
    ) -> Result<Option<CatalogueEvent>, Refusal> {
        let before = self.warehouse(id)?;
        let mut warehouse = Warehouse::clone(before);
        change.apply(&mut warehouse)?;
        check_warehouse(&warehouse)?;
        check_version(expected, before.version)?;
        if warehouse == **before {
            return Ok(None);
        }
        warehouse.version += 1;
        warehouse.updated_at = at;
        let status_changed = warehouse.active != before.active;
        let warehouse = Arc::new(warehouse);
        Ok(Some(if status_changed {
            CatalogueEvent::WarehouseStatusChanged(warehouse)
        } else {
            CatalogueEvent::WarehouseUpdated(warehouse)
        }))
    }
}

impl ProductChange {
    fn apply(&self, product: &mut Product) {
        let text = |new: &Option<String>, old: &mut Box<str>| {
            if let Some(new) = new {
                *old = new.as_str().into();
            }
        };
        text(&self.sku, &mut product.sku);
        text(&self.name, &mut product.name);
        text(&self.description, &mut product.description);
        set(self.price, &mut product.price);
        set(self.currency, &mut product.currency);
        set(self.shops.clone(), &mut product.shops);
        set(self.attributes.clone(), &mut product.attributes);
        set(self.metadata.clone(), &mut product.metadata);
        set(self.archived, &mut product.archived);
        if let Some(reference) = &self.reference {
            product.reference = reference.as_deref().map(Into::into);
        }
    }
}

impl ShopChange {
    fn apply(&self, shop: &mut Shop) {
        set(self.name.as_deref().map(Into::into), &mut shop.name);
        set(self.currency, &mut shop.currency);
        set(self.payment_deadline_ms, &mut shop.payment_deadline_ms);
        set(self.rule, &mut shop.sourcing.rule);
        set(self.split_lines, &mut shop.sourcing.split_lines);
        if let Some(warehouses) = &self.warehouses {
            shop.warehouses = (!warehouses.is_empty()).then(|| warehouses.clone());
        }
    }
}

impl WarehouseChange {
    fn apply(&self, warehouse: &mut Warehouse) -> Result<(), Refusal> {
        set(self.name.as_deref().map(Into::into), &mut warehouse.name);
        let (mut north, mut east) = warehouse.place_e6.unzip();
        set(self.latitude_e6, &mut north);
        set(self.longitude_e6, &mut east);
        warehouse.place_e6 = match (north, east) {
            (Some(north), Some(east)) => Some((north, east)),
            (None, None) => None,
            (Some(_), None) => {
                return Err(Refusal::invalid("longitude", "is needed beside latitude"));
            }
            (None, Some(_)) => {
                return Err(Refusal::invalid("latitude", "is needed beside longitude"));
            }
        };
        set(self.active, &mut warehouse.active);
        if let Some(country) = &self.country {
            warehouse.country = country.as_deref().map(Into::into);
        }
        Ok(())
    }
}

fn set<T>(new: Option<T>, field: &mut T) {
    if let Some(new) = new {
        *field = new;
    }
}

pub(crate) fn check_version(expected: Option<u32>, current: u32) -> Result<(), Refusal> {
    match expected {
        Some(expected) if expected != current => {
            Err(Refusal::VersionConflict { expected, current })
        }
        _ => Ok(()),
    }
}

fn check_price(price: Amount) -> Result<(), Refusal> {
    if price < 0 {
        return Err(Refusal::invalid("price", "must not be below 0"));
    }
    if price > PRICE_MAX {
        return Err(Refusal::AmountTooLarge("price"));
    }
    Ok(())
}

/// Checks that a payment deadline is from 1 second to 7 days.
pub(crate) fn check_deadline(field: &str, ms: u64) -> Result<(), Refusal> {
    if !(1_000..=PAYMENT_DEADLINE_MS_MAX).contains(&ms) {
        let detail = format!("must be from 1 to {} seconds", PAYMENT_DEADLINE_MS_MAX / 1_000);
        return Err(Refusal::invalid(field, detail));
    }
    Ok(())
}

pub(crate) fn check_attributes(field: &str, attributes: &Attributes) -> Result<(), Refusal> {
    if attributes.len() > ATTRIBUTES_MAX {
        return Err(Refusal::invalid(field, format!("must be at most {ATTRIBUTES_MAX} entries")));
    }
    for (key, value) in attributes {
        check_text(field, key, TEXT_MAX)?;
        check_optional_text(&format!("{field}/{key}"), value, LONG_TEXT_MAX)?;
    }
    Ok(())
}

fn check_warehouse(warehouse: &Warehouse) -> Result<(), Refusal> {
    check_text("name", &warehouse.name, TEXT_MAX)?;
    if let Some(country) = &warehouse.country
        && !(country.len() == 2 && country.bytes().all(|b| b.is_ascii_uppercase()))
    {
        return Err(Refusal::invalid("country", "must be the two letters of ISO 3166"));
    }
    warehouse.place_e6.map_or(Ok(()), |place| check_place("latitude", place))
}

/// Checks that (degrees north, degrees east), in millionths, are on the globe.
pub(crate) fn check_place(field: &str, (north, east): (i32, i32)) -> Result<(), Refusal> {
    let north = (-90_000_000..=90_000_000).contains(&north);
    let east = (-180_000_000..=180_000_000).contains(&east);
    if !(north && east) {
        let detail = "latitude must be from -90 to 90, longitude from -180 to 180";
        return Err(Refusal::invalid(field, detail));
    }
    Ok(())
}
