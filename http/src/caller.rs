//! Who asks.

use actix_web::{FromRequest, HttpMessage, HttpRequest, dev::Payload, http::StatusCode};
use futures_util::future::{Ready, ready};
use stockade_domain::{
    ApiKeyId, CustomerId, Who,
    account::{AccountId, Role},
};

use crate::{
    problem::{Code, Problem},
    tokens::Proof,
};

/// Whose request it is. The gate finds out; handlers take it as an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Somebody who has not signed in.
    Anonymous,
    /// An account.
    Account {
        /// Which.
        id: AccountId,
        /// What it may do.
        role: Role,
        /// What let it in: the session that the token came from, or the login of one that was made at the command line.
        proof: Proof,
    },
    /// A machine, which may do what staff may do.
    ApiKey(ApiKeyId),
    /// Whoever reaches a server without authentication, which is an admin.
    Local,
}

/// Who may use a route: everybody from there on up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Access {
    /// Everybody, and no token is looked at: whoever comes for a new one has none that is good.
    Anybody,
    /// Everybody; a token that is presented must be good.
    Public,
    /// Whoever has signed in.
    Customer,
    /// Staff and admins.
    Staff,
    /// Admins.
    Admin,
}

impl Access {
    /// Its name, as the documentation writes it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Anybody => "anybody",
            Self::Public => "public",
            Self::Customer => "customer",
            Self::Staff => "staff",
            Self::Admin => "admin",
        }
    }
}

impl Caller {
    /// What he may do; nothing if he has not signed in.
    pub(crate) fn role(self) -> Option<Role> {
        match self {
            Self::Anonymous => None,
            Self::Account { role, .. } => Some(role),
            Self::ApiKey(_) => Some(Role::Staff),
            Self::Local => Some(Role::Admin),
        }
    }

    /// His account, if he has one.
    pub(crate) fn account(self) -> Option<AccountId> {
        match self {
            Self::Account { id, .. } => Some(id),
            Self::Anonymous | Self::ApiKey(_) | Self::Local => None,
        }
    }

    /// The customer whose things are all that this caller may see and touch; nothing for staff.
    pub(crate) fn customer(self) -> Option<CustomerId> {
        match self {
            Self::Account { id: AccountId::Customer(id), role: Role::Customer, .. } => Some(id),
            _ => None,
        }
    }

    /// Whether he may see and touch what belongs to this customer, or to nobody.
    pub(crate) fn sees(self, owner: Option<CustomerId>) -> bool {
        self.customer().is_none_or(|customer| owner == Some(customer))
    }

    /// The customer that a request is about: the one it names, or else the customer who asks.
    pub(crate) fn customer_named(
        self,
        named: Option<CustomerId>,
    ) -> Result<Option<CustomerId>, Problem> {
        match (self.customer(), named) {
            (Some(own), Some(named)) if own != named => {
                let detail = "customer_id: a customer may name only himself";
                Err(Problem::new(StatusCode::FORBIDDEN, Code::Forbidden, detail))
            }
            (own, named) => Ok(named.or(own)),
        }
    }

    /// Among whose names those are that he chooses himself.
    pub(crate) fn scope(self) -> Option<String> {
        match self {
            Self::Account { id, .. } => Some(id.to_string()),
            Self::ApiKey(id) => Some(format!("api key {id}")),
            Self::Anonymous | Self::Local => None,
        }
    }

    /// Whether he works here.
    pub(crate) fn is_staff(self) -> bool {
        self.role() >= Some(Role::Staff)
    }

    /// As what he did is written down with what he does: nobody in particular without authentication.
    pub(crate) fn who(self) -> Option<Who> {
        match self {
            Self::Account { id: AccountId::Customer(id), .. } => Some(Who::Customer(id)),
            Self::Account { id: AccountId::Account(id), .. } => Some(Who::Account(id)),
            Self::ApiKey(id) => Some(Who::ApiKey(id.0)),
            Self::Anonymous | Self::Local => None,
        }
    }

    /// Whether he may use a route.
    pub(crate) fn may(self, who: Access) -> bool {
        match who {
            Access::Anybody | Access::Public => true,
            Access::Customer => self.role().is_some(),
            Access::Staff => self.is_staff(),
            Access::Admin => self.role() == Some(Role::Admin),
        }
    }
}

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(req.extensions().get().copied().unwrap_or(Self::Anonymous)))
    }
}
