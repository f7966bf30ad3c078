//! A replay against a running server, through its public REST surface alone.

use serde_json::{Value, json};
use stockade::domain::{
    Currency,
    limits::{ADJUSTMENT_LINES_MAX, PAYMENT_DEADLINE_MS_MAX, QUANTITY_MAX},
};
use ureq::http::Method;

use super::{
    plan::{OrderIndex, Plan, Stage, TakeBack},
    target::{FinalAudit, FinalLine, FinalOrder, FinalStock, Outcomes, Target},
    window::Units,
};
use crate::cli::{
    Failure,
    rest::{Answer, Client, Request, Token},
};

/// A server, and how the plan's things are called in it.
pub(crate) struct Server {
    client: Client,
    shop: u64,
    warehouse: u64,
    products: Vec<u64>,
    orders: Vec<Option<u64>>,
}

impl Server {
    pub(crate) fn new(url: &str, token: &Token) -> Result<Self, Failure> {
        let client = Client::new(url, token)?;
        Ok(Self { client, shop: 0, warehouse: 0, products: Vec::new(), orders: Vec::new() })
    }

    fn lines(&self, units: &[Units]) -> Value {
        let line = |units: &Units| json!({ "product_id": self.products[units.product], "quantity": units.quantity });
        units.iter().map(line).collect()
    }

    fn adjustment(&self, product: usize, delta: i64, reason: &str) -> Value {
        json!({
            "warehouse_id": self.warehouse, "product_id": self.products[product],
            "delta": delta, "reason": reason,
        })
    }

    fn place(&self, plan: &Plan, index: OrderIndex) -> Request {
        let order = &plan.orders[index];
        let lines = self.lines(&order.units());
        let body = json!({ "shop_id": self.shop, "lines": lines, "reference": order.invoice });
        Request::post("/orders", body)
    }

    fn take_back(&self, back: &TakeBack) -> (OrderIndex, &'static str, Value) {
        let lines = self.lines(&back.units);
        match back.shipped {
            true => {
                let body = json!({ "lines": lines, "restock": true, "reason": back.invoice });
                (back.order, "returns", body)
            }
            false => (back.order, "cancel", json!({ "lines": lines, "reason": back.invoice })),
        }
    }

    /// What the stage asks of orders that are there, and of the catalogue.
    fn musts(&self, plan: &Plan, stage: &Stage, refused: &mut Vec<String>) -> Vec<Request> {
        let pay = stage.pay.iter().map(|order| (*order, "payments", json!({})));
        let ship = stage.ship.iter().map(|order| (*order, "shipments", json!({})));
        let refund = stage.refund.iter().map(|(order, pence)| {
            (*order, "refunds", json!({ "amount": Currency::GBP.format(*pence) }))
        });
        let back = stage.take_back.iter().map(|back| self.take_back(back));
        let mut requests = Vec::new();
        for (index, action, body) in pay.chain(ship).chain(refund).chain(back) {
            match self.orders[index] {
                Some(id) => requests.push(Request::post(format!("/orders/{id}/{action}"), body)),
                None => {
                    let invoice = &plan.orders[index].invoice;
                    refused.push(format!("invoice {invoice}: it has no order"));
                }
            }
        }
        requests.extend(stage.prices.iter().map(|(product, pence)| Request {
            method: Method::PATCH,
            path: format!("/products/{}", self.products[*product]),
            body: json!({ "price": Currency::GBP.format(*pence) }),
        }));
        requests
    }

    fn open_stock(&self, plan: &Plan) -> Result<(), Failure> {
        let mut deltas = Vec::new();
        for (index, product) in plan.products.iter().enumerate() {
            let mut left = product.opening;
            while left > 0 {
                let delta = left.min(QUANTITY_MAX);
                deltas.push(self.adjustment(index, delta as i64, "received"));
                left -= delta;
            }
        }
        for chunk in deltas.chunks(ADJUSTMENT_LINES_MAX) {
            self.client.post("/stock/adjustments", &json!({ "adjustments": chunk }))?;
        }
        Ok(())
    }
}

impl Target for Server {
    fn sells(&self, sku: &str) -> Result<bool, Failure> {
        let found = self.client.must(Method::GET, &format!("/products?sku={sku}"), None)?;
        Ok(found["data"].as_array().is_some_and(|found| !found.is_empty()))
    }

    fn open_shop(&mut self, plan: &Plan) -> Result<(), Failure> {
        let warehouse = json!({ "name": plan.shop, "country": "GB" });
        self.warehouse = id(&self.client.post("/warehouses", &warehouse)?)?;
        let deadline = PAYMENT_DEADLINE_MS_MAX / 1_000;
        let shop =
            json!({ "name": plan.shop, "currency": "GBP", "payment_deadline_seconds": deadline });
        self.shop = id(&self.client.post("/shops", &shop)?)?;
        let warehouses = json!({ "warehouse_ids": [self.warehouse] });
        let path = format!("/shops/{}/warehouses", self.shop);
        self.client.must(Method::PUT, &path, Some(&warehouses))?;
        let create = |product: &super::plan::PlannedProduct| {
            let price = Currency::GBP.format(product.price);
            let body = json!({
                "sku": product.code, "name": product.name, "price": price, "currency": "GBP",
                "shop_ids": [self.shop],
            });
            Request::post("/products", body)
        };
        let created = self.client.send_all(&plan.products.iter().map(create).collect::<Vec<_>>());
        for (answer, product) in created.into_iter().zip(&plan.products) {
            let created = answer?.good().map_err(|what| {
                Failure::work(format!("product {}: {what}: use an empty server", product.code))
            })?;
            self.products.push(id(&created)?);
        }
        self.orders = vec![None; plan.orders.len()];
        self.open_stock(plan)
    }

    fn run(&mut self, plan: &Plan, stage: &Stage) -> Result<Outcomes, Failure> {
        let mut outcomes = Outcomes::default();
        let mut requests: Vec<_> =
            stage.place.iter().map(|index| self.place(plan, *index)).collect();
        for write_off in &stage.write_off {
            let Units { product, quantity } = write_off.units;
            let mut body = self.adjustment(product, -(quantity as i64), write_off.reason.name());
            body["reference"] = write_off.invoice.as_str().into();
            requests.push(Request::post("/stock/adjustments", body));
        }
        requests.extend(self.musts(plan, stage, &mut outcomes.refused));
        let mut answers = self.client.send_all(&requests).into_iter();
        for index in &stage.place {
            let order = granted(answers.next())?;
            outcomes.placed.push(order.is_some());
            self.orders[*index] = order.as_ref().map(id).transpose()?;
        }
        for _ in &stage.write_off {
            outcomes.written_off.push(granted(answers.next())?.is_some());
        }
        for answer in answers {
            outcomes.refused.extend(answer?.good().err());
        }
        Ok(outcomes)
    }

    fn orders(&self) -> Result<Vec<FinalOrder>, Failure> {
        let orders = self.client.list(&format!("/orders?shop_id={}", self.shop))?;
        orders.iter().map(|order| final_order(order).ok_or_else(|| strange(order))).collect()
    }

    fn stocks(&self) -> Result<Vec<FinalStock>, Failure> {
        let rows = self.client.list(&format!("/stock?warehouse_id={}", self.warehouse))?;
        let index: std::collections::HashMap<u64, usize> =
            self.products.iter().enumerate().map(|(index, id)| (*id, index)).collect();
        let mut stocks = vec![FinalStock::default(); self.products.len()];
        for row in &rows {
            let stock = || {
                let place = *index.get(&row["product_id"].as_u64()?)?;
                let (on_hand, reserved) = (row["on_hand"].as_u64()?, row["reserved"].as_u64()?);
                Some((place, FinalStock { on_hand, reserved }))
            };
            let (place, stock) = stock().ok_or_else(|| strange(row))?;
            stocks[place] = stock;
        }
        Ok(stocks)
    }

    fn product_ids(&self) -> &[u64] {
        &self.products
    }

    fn audit(&self) -> Result<Option<FinalAudit>, Failure> {
        Ok(None)
    }

    fn close(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}

/// Nothing when stock is short; anything else that is no success ends the replay.
fn granted(answer: Option<Result<Answer, Failure>>) -> Result<Option<Value>, Failure> {
    let answer = answer.expect("every request is answered")?;
    if answer.status == 409 && answer.code() == "insufficient_stock" {
        return Ok(None);
    }
    answer.good().map(Some).map_err(Failure::work)
}

fn id(thing: &Value) -> Result<u64, Failure> {
    thing["id"].as_u64().ok_or_else(|| strange(thing))
}

fn strange(thing: &Value) -> Failure {
    let text: String = thing.to_string().chars().take(200).collect();
    Failure::work(format!("the server answers something else than this program knows: {text}"))
}

fn pence(value: &Value) -> Option<i64> {
    Currency::GBP.parse(value.as_str()?).ok()
}

fn final_order(order: &Value) -> Option<FinalOrder> {
    let lines = order["lines"].as_array()?.iter().map(|line| {
        Some(FinalLine {
            product: line["product_id"].as_u64()?,
            quantity: line["quantity"].as_u64()?,
            unit_price: pence(&line["unit_price"])?,
            reserved: line["reserved"].as_u64()?,
            cancelled: line["cancelled"].as_u64()?,
            returned: line["returned"].as_u64()?,
        })
    });
    Some(FinalOrder {
        id: order["id"].as_u64()?,
        reference: order["reference"].as_str()?.to_owned(),
        status: order["status"].as_str()?.to_owned(),
        total: pence(&order["total_price"])?,
        paid: pence(&order["paid_amount"])?,
        refunded: pence(&order["refunded_amount"])?,
        lines: lines.collect::<Option<_>>()?,
    })
}
