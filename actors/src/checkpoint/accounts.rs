use std::{collections::BTreeSet, sync::Arc};

use stockade_domain::account::{Account, Accounts, ApiKey, Counts, LoginVersion, Session};

use super::{Kind, write::encode_pages};
use crate::read::{AccountsDirt, PAGE_IDS, ReadSide};

/// An account, by which login it is proved, and its sessions.
type Row = (Arc<Account>, LoginVersion, Vec<Session>);

/// API keys, and how many ever were.
type Rest = (Counts, Vec<Arc<ApiKey>>);

/// What changed among the accounts since the last snapshot.
pub(super) struct AccountPages {
    customers: Vec<(u64, Vec<Row>)>,
    accounts: Vec<(u64, Vec<Row>)>,
    rest: Option<Rest>,
}

impl AccountPages {
    pub(super) fn take(read: &ReadSide) -> Self {
        let AccountsDirt { customer_pages, account_pages, rest } = read.take_dirty_accounts();
        let state = read.accounts.read();
        let row = |account: &Arc<Account>| {
            let login = state.login_version(account.id).expect("there is such an account");
            (account.clone(), login, state.sessions(account.id).to_vec())
        };
        let customers = pages(customer_pages, |after| state.customers_after(after), row);
        let accounts = pages(account_pages, |after| state.accounts_after(after), row);
        let rest = rest.then(|| (state.counts(), state.api_keys().cloned().collect()));
        Self { customers, accounts, rest }
    }

    pub(super) fn encode(self, pages: &mut Vec<(Vec<u8>, Option<Vec<u8>>)>) {
        encode_pages(pages, Kind::Customers, &self.customers);
        encode_pages(pages, Kind::Accounts, &self.accounts);
        encode_pages(pages, Kind::AccountsRest, &self.rest.map(|rest| (0, rest)));
    }
}

/// The pages with these numbers, of things numbered from 1.
fn pages<'a, I: Iterator<Item = &'a Arc<Account>>>(
    numbers: BTreeSet<u64>,
    after: impl Fn(u64) -> I,
    row: impl Fn(&Arc<Account>) -> Row,
) -> Vec<(u64, Vec<Row>)> {
    let page = |number: u64| {
        let on_it = |account: &&Arc<Account>| account.id.number() / PAGE_IDS == number;
        let from = (number * PAGE_IDS).saturating_sub(1);
        (number, after(from).take_while(on_it).map(&row).collect())
    };
    numbers.into_iter().map(page).collect()
}

/// Pages come in any order; accounts are numbered in theirs.
#[derive(Default)]
pub(super) struct LoadedAccounts {
    pub(super) rows: Vec<Row>,
    pub(super) rest: Option<Rest>,
}

impl LoadedAccounts {
    pub(super) fn put_into(mut self, accounts: &mut Accounts) {
        self.rows.sort_by_key(|(account, ..)| account.id);
        for (account, login, sessions) in self.rows {
            accounts.restore_account(&account, login, sessions);
        }
        if let Some((counts, api_keys)) = self.rest {
            accounts.restore_rest(counts, api_keys);
        }
    }
}
