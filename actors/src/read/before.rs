use stockade_domain::{
    OrderId, ReservationId, StockKey, TransferId, account::Accounts, catalogue::Catalogue,
    holder::Hold, order::Order, stock::Stock, succession::Before, transfer::Transfer,
};

use super::ReadSide;

/// What is folded, for the event that comes next.
impl Before for ReadSide {
    fn order<T>(&self, id: OrderId, look: impl FnOnce(Option<&Order>) -> T) -> T {
        self.orders.look(id.0, |order| look(order.map(|order| &order.now)))
    }

    fn hold<T>(&self, id: ReservationId, look: impl FnOnce(Option<&Hold>) -> T) -> T {
        self.holds.look(id.0, |hold| look(hold.map(|hold| &hold.now)))
    }

    fn transfer<T>(&self, id: TransferId, look: impl FnOnce(Option<&Transfer>) -> T) -> T {
        self.transfers.look(id.0, |transfer| look(transfer.map(|transfer| &transfer.now)))
    }

    fn stock<T>(&self, key: StockKey, look: impl FnOnce(Option<&Stock>) -> T) -> T {
        look(self.stocks.get(&key).as_deref())
    }

    fn catalogue<T>(&self, look: impl FnOnce(&Catalogue) -> T) -> T {
        look(&self.catalogue.read())
    }

    fn accounts<T>(&self, look: impl FnOnce(&Accounts) -> T) -> T {
        look(&self.accounts.read())
    }
}
