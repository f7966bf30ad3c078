use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use stockade_actors::{Error, SignedIn};
use stockade_domain::{
    Refusal,
    account::{Account, Personal, PersonalChange, Role},
};
use utoipa::ToSchema;

use super::{AccountView, done, prove, wrong};
use crate::{
    answer,
    caller::Caller,
    extract::Input,
    openapi::{
        answers::{Conflict, Done, Made, Nothing, WrongCredentials},
        kinds,
    },
    passwords::{Checked, Password},
    problem::Problem,
    refusals::{locating, plain},
    state::{Shared, State},
    tokens::Proof,
};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(
    as = Register,
    examples(json!({"email": "ada@example.com", "password": "correct horse", "username": "ada", "name": "Ada"}))
)]
pub(crate) struct RegisterBody {
    #[schema(value_type = kinds::Email)]
    email: String,
    #[schema(value_type = kinds::NewPassword)]
    password: Password,
    #[schema(value_type = Option<kinds::Username>)]
    username: Option<String>,
    #[schema(value_type = Option<kinds::Text>)]
    name: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(
    as = Login,
    examples(json!({"email": "ada@example.com", "password": "correct horse"}))
)]
pub(crate) struct LoginBody {
    #[schema(value_type = String)]
    email: Option<String>,
    #[schema(value_type = String)]
    username: Option<String>,
    #[schema(value_type = String, format = Password)]
    password: Password,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(
    as = RefreshToken,
    examples(json!({"refresh_token": "c29tZSBieXRlcyB0aGF0IG5vYm9keSBndWVzc2Vz"}))
)]
pub(crate) struct RefreshBody {
    refresh_token: String,
}

/// A body that says nothing.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(
    as = NoBody,
    examples(json!({}))
)]
pub(crate) struct NoBody {}

/// What a client goes on with, in the words of OAuth (RFC 6749).
#[derive(Serialize, ToSchema)]
#[schema(
    as = Tokens,
    examples(json!({"access_token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjdXN0b21lcjoxIn0.c2lnbmF0dXJl", "token_type": "Bearer", "expires_in": 900, "refresh_token": "c29tZSBieXRlcyB0aGF0IG5vYm9keSBndWVzc2Vz"}))
)]
pub(crate) struct TokensView<'a> {
    access_token: String,
    /// Always `Bearer`.
    token_type: &'static str,
    /// For how long the access token is good, in seconds.
    expires_in: u64,
    refresh_token: &'a str,
}

/// `POST /register`: whoever comes becomes a customer.
#[utoipa::path(
    post, path = "/register", tag = "sign-in",
    request_body = RegisterBody,
    responses(Made<AccountView>, Conflict),
)]
pub(crate) async fn register(
    req: HttpRequest,
    state: Shared,
    body: Input<RegisterBody>,
) -> Result<HttpResponse, Problem> {
    let RegisterBody { email, password, username, name } = body.valid()?;
    let boxed = |text: String| text.into_boxed_str();
    let mut personal = Personal {
        email: Some(boxed(email)),
        username: username.map(boxed),
        name: name.map(boxed),
        password: None,
    }
    .normalized();
    // What is refused anyway costs no hash.
    personal.check().map_err(|refusal| locating(plain)(refusal.into()))?;
    personal.password = Some(state.passwords.hash("/password", password).await?.into());
    let engine = &state.engine;
    let account = engine.register(Role::Customer, personal).await.map_err(locating(plain))?;
    Ok(done(&req, engine, &account))
}

/// `POST /login`.
#[utoipa::path(
    post, path = "/login", tag = "sign-in", summary = "Tokens for a password",
    request_body = LoginBody,
    responses(Done<TokensView<'static>>, WrongCredentials),
)]
pub(crate) async fn login(
    req: HttpRequest,
    state: Shared,
    body: Input<LoginBody>,
) -> Result<HttpResponse, Problem> {
    let LoginBody { email, username, password } = body.valid()?;
    let login = match (email, username) {
        (Some(login), None) | (None, Some(login)) => login,
        (None, None) => return Err(Problem::field("/email", "or a username is missing")),
        (Some(_), Some(_)) => {
            return Err(Problem::field("/username", "comes with an email: send one of them"));
        }
    };
    let account = state.engine.account_by_login(&login);
    let person = account.as_ref().and_then(|account| state.engine.personal(account));
    let checked = prove(&req, &state, person.as_ref(), password.clone(), wrong).await?;
    let (Some(account), Some(person)) = (account, person) else { return Err(wrong()) };
    let signed_in = open(&req, &state, &account, &person, password).await?;
    if let Checked::Outdated(rehashed) = checked {
        let change = PersonalChange { rehashed: Some(rehashed), ..PersonalChange::default() };
        // Whoever changes the account meanwhile comes first; the next login tries again.
        let _ = state.engine.change_account(account.id, Some(account.version), change).await;
    }
    Ok(tokens(&state, &signed_in))
}

/// Opens a session. It counts only if the password is the one that was proved: it may have changed meanwhile.
async fn open(
    req: &HttpRequest,
    state: &State,
    account: &Account,
    proved: &Personal,
    password: Password,
) -> Result<SignedIn, Problem> {
    let engine = &state.engine;
    let opened = engine.open_session(account.id, state.auth.refresh_ttl).await;
    let signed_in = opened.map_err(|error| match error {
        Error::Refused(Refusal::NotFound { .. }) => wrong(),
        error => error.into(),
    })?;
    let now = engine.personal(&signed_in.account);
    if now.as_ref().is_some_and(|now| now.password == proved.password) {
        return Ok(signed_in);
    }
    match prove(req, state, now.as_ref(), password, wrong).await {
        Ok(_) => Ok(signed_in),
        Err(problem) => {
            engine.revoke_session(account.id, signed_in.session.id).await?;
            Err(problem)
        }
    }
}

/// `POST /token/refresh`: a refresh token for the next, and an access token.
#[utoipa::path(
    post, path = "/token/refresh", tag = "sign-in",
    request_body = RefreshBody,
    responses(Done<TokensView<'static>>, WrongCredentials),
)]
pub(crate) async fn refresh(
    state: Shared,
    body: Input<RefreshBody>,
) -> Result<HttpResponse, Problem> {
    let RefreshBody { refresh_token } = body.valid()?;
    let rotated = state.engine.rotate_session(&refresh_token, state.auth.refresh_ttl).await;
    Ok(tokens(&state, &rotated?))
}

fn tokens(state: &State, signed_in: &SignedIn) -> HttpResponse {
    let SignedIn { account, session, refresh_token } = signed_in;
    let (now, ttl) = (state.engine.now(), state.auth.access_ttl);
    answer::ok(&TokensView {
        access_token: state.tokens.issue(account.id, account.role, (*session).into(), now, ttl),
        token_type: "Bearer",
        expires_in: ttl.as_secs(),
        refresh_token,
    })
}

/// `POST /logout`: ends the session that the caller's token came from.
#[utoipa::path(
    post, path = "/logout", tag = "sign-in",
    request_body = NoBody,
    responses(Nothing),
)]
pub(crate) async fn logout(
    state: Shared,
    caller: Caller,
    body: Input<NoBody>,
) -> Result<HttpResponse, Problem> {
    let NoBody {} = body.valid()?;
    if let Caller::Account { id, proof: Proof::Session(session, _), .. } = caller {
        state.engine.revoke_session(id, session).await?;
    }
    Ok(answer::nothing())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use actix_web::{
        FromRequest, HttpMessage,
        dev::Payload,
        http::{StatusCode, header::ContentType},
        rt::System,
        test::TestRequest,
    };
    use stockade_actors::Engine;
    use stockade_domain::SessionId;

    use super::*;
    use crate::{HttpConfig, gate::Body, hash_password, tokens::Tokens};

    /// Somebody with this address, and perhaps a password.
    fn person(email: &str, password: Option<&str>) -> Personal {
        let password = password.map(|password| hash_password(password).unwrap().into());
        Personal { email: Some(email.into()), password, ..Personal::default() }
    }

    #[test]
    fn whoever_is_refused_cost_one_comparison() {
        let config = HttpConfig::default();
        let engine = Engine::in_memory().unwrap();
        let tokens = Tokens::open(&config.auth, &engine).unwrap();
        let state = Shared::new(State::new(engine.clone(), &config, tokens));
        System::new().block_on(async {
            let register = |person| engine.register(Role::Customer, person);
            register(person("ann@example.com", Some("a password"))).await.unwrap();
            register(person("made-by-staff@example.com", None)).await.unwrap();
            let gone = register(person("gone@example.com", Some("a password"))).await.unwrap();
            engine.erase_account(gone.id, None).await.unwrap();
            for (who, password) in [
                ("ann@example.com", "another password"),
                ("ann@example.com", ""),
                ("nobody@example.com", "a password"),
                ("made-by-staff@example.com", "a password"),
                ("gone@example.com", "a password"),
                ("", "a password"),
            ] {
                let before = state.passwords.compared.load(Ordering::Relaxed);
                let body = serde_json::json!({ "username": who, "password": password });
                let req = TestRequest::post()
                    .insert_header(ContentType::json())
                    .app_data(state.clone())
                    .to_http_request();
                req.extensions_mut().insert(Body(body.to_string().into()));
                let body = Input::from_request(&req, &mut Payload::None).await.unwrap();
                let refused = login(req, state.clone(), body).await.unwrap_err();
                assert_eq!(refused.status(), StatusCode::UNAUTHORIZED, "{who}");
                let after = state.passwords.compared.load(Ordering::Relaxed);
                assert_eq!(after - before, 1, "{who} with {password:?}");
            }
        });
        engine.shutdown().unwrap();
    }

    #[test]
    fn a_session_counts_only_if_its_password_still_does() {
        let config = HttpConfig::default();
        let engine = Engine::in_memory().unwrap();
        let tokens = Tokens::open(&config.auth, &engine).unwrap();
        let state = State::new(engine.clone(), &config, tokens);
        let req = TestRequest::default().to_http_request();
        System::new().block_on(async {
            let ann = person("ann@example.com", Some("old password"));
            let ann = engine.register(Role::Customer, ann).await.unwrap();
            let proved = engine.personal(&ann).unwrap();
            let password = Some(hash_password("new password").unwrap());
            let change = PersonalChange { password, ..PersonalChange::default() };
            engine.change_account(ann.id, None, change).await.unwrap();

            let password = |text: &str| Password(text.to_owned());
            let old = open(&req, &state, &ann, &proved, password("old password")).await;
            assert_eq!(old.unwrap_err().status(), StatusCode::UNAUTHORIZED);
            assert!(engine.session(ann.id, SessionId(1)).is_none());
            let new = open(&req, &state, &ann, &proved, password("new password")).await.unwrap();
            assert!(engine.session(ann.id, new.session.id).is_some());
            engine.erase_account(ann.id, None).await.unwrap();
            let gone = open(&req, &state, &ann, &proved, password("new password")).await;
            assert_eq!(gone.unwrap_err().status(), StatusCode::UNAUTHORIZED);
        });
        engine.shutdown().unwrap();
    }
}
