use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures_executor::block_on;
use stockade::{
    Engine,
    domain::account::{Account, Personal, PersonalChange, Role},
    http::{Auth, Tokens, forget_first_password, hash_password},
};

use super::{
    super::config::{Flag, Settings},
    Accounts, Failure, NewUser, Shown,
};

/// A data directory that nobody uses.
pub(super) struct Directory {
    engine: Engine,
    auth: Auth,
}

impl Directory {
    /// Opens it. Only who makes an account may make a new directory, too: any other has mistyped its name.
    pub(super) fn open(
        file: Option<&Path>,
        directory: Option<PathBuf>,
        makes_data: bool,
    ) -> Result<Self, Failure> {
        let flag = |directory: PathBuf| -> Flag {
            ("--data-dir", "data.dir", directory.display().to_string())
        };
        let flags: Vec<Flag> = directory.map(flag).into_iter().collect();
        let settings = Settings { in_memory: false, ..Settings::load(file, &flags)? };
        if !makes_data && !settings.data_dir.exists() {
            let what = format!("{} does not exist", settings.data_dir.display());
            return Err(Failure::work(what));
        }
        let engine = Engine::open(settings.engine())?;
        Ok(Self { engine, auth: settings.http.auth.clone() })
    }

    fn find(&self, login: &str) -> Result<Arc<Account>, Failure> {
        let account = self.engine.account_by_login(login);
        account.ok_or_else(|| Failure::work(format!("nobody signs in as {login}")))
    }

    fn show(&self, account: &Account) -> Shown {
        let Personal { email, username, name, password: _ } =
            self.engine.personal(account).unwrap_or_default();
        let text = |field: Option<Box<str>>| field.map(Into::into);
        Shown {
            kind: account.id.kind().into(),
            id: account.id.number(),
            username: text(username),
            email: text(email),
            name: text(name),
            role: account.role.name().into(),
        }
    }
}

/// A hash, or what is wrong with the password.
fn hash(password: &str) -> Result<String, Failure> {
    hash_password(password).map_err(|error| Failure::work(format!("the password {error}")))
}

impl Accounts for Directory {
    fn create(&self, new: NewUser) -> Result<Shown, Failure> {
        let text = |field: Option<String>| field.map(Into::into);
        let personal = Personal {
            email: text(new.email),
            username: text(new.username),
            name: text(new.name),
            password: Some(hash(&new.password)?.into()),
        };
        let account = block_on(self.engine.register(new.role, personal))?;
        Ok(self.show(&account))
    }

    fn set_password(&self, login: &str, password: String) -> Result<Shown, Failure> {
        let account = self.find(login)?;
        let password = Some(hash(&password)?);
        let change = PersonalChange { password, ..PersonalChange::default() };
        let changed = block_on(self.engine.change_account(account.id, None, change))?;
        forget_first_password(&self.engine)?;
        Ok(self.show(&changed))
    }

    fn set_role(&self, login: &str, role: Role) -> Result<Shown, Failure> {
        let account = self.find(login)?;
        Ok(self.show(&*block_on(self.engine.set_role(account.id, None, role))?))
    }

    fn token(&self, login: &str, expires: Option<Duration>) -> Result<String, Failure> {
        let account = self.find(login)?;
        let ttl = expires.unwrap_or(self.auth.access_ttl);
        let tokens = Tokens::open(&self.auth, &self.engine).map_err(Failure::work)?;
        let login = self.engine.login_version(account.id).expect("it was found");
        Ok(tokens.issue(account.id, account.role, login.into(), self.engine.now(), ttl))
    }

    fn list(&self) -> Result<Vec<Shown>, Failure> {
        let customers = self.engine.customers(0, usize::MAX, |account| !account.is_erased());
        let accounts = self.engine.accounts().into_iter().filter(|account| !account.is_erased());
        Ok(accounts.chain(customers).map(|account| self.show(&account)).collect())
    }

    fn close(&self) -> Result<(), Failure> {
        Ok(self.engine.shutdown()?)
    }
}
