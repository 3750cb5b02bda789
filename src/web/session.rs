//! Who is signed in: sessions in memory, gone with a restart.
//!
//! What always holds: a session's id is 100 random bits in a cookie that no script can read and no
//! other site can send; whoever changes something also brings the session's second token, which only
//! the page itself knows; wrong secrets make everybody wait, longer each time.

use super::guard::{cookie, same};
use super::refusal::{Fault, come_again, fault_json, in_words};
use super::{Request as Ask, Shared, Web, api, assets, index};
use crate::clock::Now;
use crate::privacy::pseudonym;
use crate::storage::Role;
use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, html};
use serde::Deserialize;
use serde_json::json;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A session that is not used ends after this long.
const IDLE: Duration = Duration::from_secs(30 * 60);
/// And after this long in any case: a shift.
const SHIFT: Duration = Duration::from_secs(12 * 3600);
/// Sessions at a time.
const MOST: usize = 64;
/// Wrong secrets that cost nothing.
const FREE: u32 = 3;

/// Someone who is signed in.
#[derive(Debug, Clone)]
pub(super) struct Session {
    /// Who.
    pub(super) name: String,
    /// What they may do.
    pub(super) role: Role,
    /// What a change must bring along.
    pub(super) csrf: String,
    began: Now,
    used: Now,
    /// They watched the cameras, and it is in the audit.
    looked: bool,
}

/// All of them, and how often a secret was wrong lately.
#[derive(Default)]
pub(super) struct Sessions {
    open: Mutex<HashMap<String, Session>>,
    wrong: Mutex<HashMap<String, (u32, Now)>>,
}

fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long to wait after so many wrong secrets.
fn pause(wrong: u32) -> Duration {
    if wrong < FREE { Duration::ZERO } else { Duration::from_secs(1 << (wrong - FREE + 2).min(9)) }
}

impl Sessions {
    /// Opens one and gives its cookie's value.
    fn open(&self, name: &str, role: Role, now: Now) -> String {
        let mut open = locked(&self.open);
        open.retain(|_, s| s.alive(now));
        if open.len() >= MOST
            && let Some(oldest) = open.iter().min_by_key(|(_, s)| s.used).map(|(id, _)| id.clone())
        {
            open.remove(&oldest);
        }
        let (id, csrf) = (pseudonym::token(), pseudonym::token());
        open.insert(
            id.clone(),
            Session { name: name.to_owned(), role, csrf, began: now, used: now, looked: false },
        );
        id
    }

    fn of(&self, headers: &HeaderMap, now: Now) -> Option<Session> {
        let id = cookie(headers, "staff")?;
        let mut open = locked(&self.open);
        let session = open.get_mut(&id).filter(|s| s.alive(now))?;
        session.used = now;
        Some(session.clone())
    }

    fn close(&self, headers: &HeaderMap) {
        if let Some(id) = cookie(headers, "staff") {
            locked(&self.open).remove(&id);
        }
    }

    /// Seconds until another secret may be tried for this name.
    fn must_wait(&self, name: &str, now: Now) -> Option<u64> {
        let (wrong, at) = locked(&self.wrong).get(name).copied()?;
        let left = pause(wrong).checked_sub(now.since(at))?;
        (!left.is_zero()).then(|| left.as_secs() + 1)
    }

    fn was_wrong(&self, name: &str, now: Now) {
        let mut wrong = locked(&self.wrong);
        wrong.retain(|_, (_, at)| now.since(*at) < Duration::from_secs(3600));
        if wrong.len() < 1000 {
            let entry = wrong.entry(name.to_owned()).or_insert((0, now));
            *entry = (entry.0 + 1, now);
        }
    }

    fn was_right(&self, name: &str) {
        locked(&self.wrong).remove(name);
    }
}

impl Session {
    fn alive(&self, now: Now) -> bool {
        now.since(self.used) < IDLE && now.since(self.began) < SHIFT
    }
}

/// Who asks, if they are signed in.
pub(super) fn who(web: &Shared, headers: &HeaderMap) -> Option<Session> {
    web.sessions.of(headers, web.app.clock.now())
}

/// Who asks for the cameras' pictures for the first time in their session.
pub(super) fn first_look(web: &Shared, headers: &HeaderMap) -> Option<String> {
    who(web, headers).filter(|s| !s.looked).map(|s| s.name)
}

/// Notes that it is in the audit.
pub(super) fn has_looked(web: &Shared, headers: &HeaderMap) {
    if let Some(id) = cookie(headers, "staff")
        && let Some(session) = locked(&web.sessions.open).get_mut(&id)
    {
        session.looked = true;
    }
}

/// Lets staff and administrators through.
pub(super) async fn staff_only(State(web): Web, request: Request, next: Next) -> Response {
    let session = who(&web, request.headers());
    admit(session, request, next).await
}

/// Lets administrators through.
pub(super) async fn admins_only(State(web): Web, request: Request, next: Next) -> Response {
    let session = who(&web, request.headers()).filter(|s| s.role == Role::Admin);
    admit(session, request, next).await
}

async fn admit(session: Option<Session>, mut request: Request, next: Next) -> Response {
    let wants_page = request.method() == axum::http::Method::GET
        && request.headers().get(header::ACCEPT).is_some_and(|a| a.to_str().unwrap_or("").contains("html"));
    let Some(session) = session else {
        if wants_page {
            let to = format!("/sign-in?to={}", request.uri().path());
            return (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response();
        }
        let remedy = "Sign in at /sign-in with a user of the role that this needs.";
        return in_words(
            request.headers(),
            StatusCode::UNAUTHORIZED,
            "You are not signed in for this",
            remedy,
        );
    };
    let changes = !matches!(*request.method(), axum::http::Method::GET | axum::http::Method::HEAD);
    let brought = request.headers().get("x-csrf").and_then(|v| v.to_str().ok()).unwrap_or_default();
    if changes && !same(brought, &session.csrf) {
        let remedy = "Reload the page and try again.";
        return in_words(request.headers(), StatusCode::FORBIDDEN, "This did not come from our page", remedy);
    }
    request.extensions_mut().insert(session);
    next.run(request).await
}

/// `GET /sign-in`.
pub(super) async fn page(State(web): Web) -> Html<String> {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                (index::head("Sign in", &["pages.css", "staff.css"]))
                script src=(assets::address("sign-in.js")) defer {}
            }
            body.page.sign-in {
                main {
                    p.store { (web.app.store.name) }
                    h1 { "Sign in" }
                    form #sign-in {
                        label for="name" { "Name" }
                        input #name name="name" autocomplete="username" autocapitalize="none" required;
                        label for="secret" { "PIN or password" }
                        input #secret name="secret" type="password" autocomplete="current-password" required;
                        p.problem #problem role="alert" {}
                        button.main type="submit" { "Sign in" }
                    }
                }
            }
        }
    };
    Html(page.into_string())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignIn {
    name: String,
    secret: String,
}

fn read(bytes: &[u8]) -> Result<SignIn, Fault> {
    let remedy = "Send {\"name\": NAME, \"secret\": PIN or password}.";
    let read: SignIn =
        serde_json::from_slice(bytes).map_err(|_| Fault::new("this is no sign-in", "", remedy))?; // without serde's words: they may quote
    if read.name.chars().count() > 32 || read.secret.chars().count() > 200 {
        return Err(Fault::new("the name or the secret is too long", "", remedy));
    }
    Ok(read)
}

/// `POST /sign-in`.
pub(super) async fn sign_in(
    State(web): Web,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let done = async {
        let bytes = api::json_body(&headers, body)?;
        let SignIn { name, secret } =
            read(&bytes).map_err(|fault| fault_json(StatusCode::UNPROCESSABLE_ENTITY, fault))?;
        let name = name.trim().to_lowercase();
        let now = web.app.clock.now();
        if let Some(seconds) = web.sessions.must_wait(&name, now) {
            let fault = Fault::new("too many wrong secrets", "", format!("Try again in {seconds} s."));
            return Err(come_again(fault_json(StatusCode::TOO_MANY_REQUESTS, fault)));
        }
        // Counted before it is known: trying many at once brings nothing.
        web.sessions.was_wrong(&name, now);
        let role = api::ask(&web, |reply| Ask::SignIn(name.clone(), secret, reply)).await?;
        let Some(role) = role else {
            let fault = Fault::new("the name or the secret is wrong", "", "Check both and try again.");
            return Err(fault_json(StatusCode::UNAUTHORIZED, fault));
        };
        web.sessions.was_right(&name);
        let id = web.sessions.open(&name, role, now);
        let cookie = format!("staff={id}; Path=/; HttpOnly; SameSite=Strict");
        let to = if role == Role::Admin { "/admin" } else { "/staff" };
        Ok::<_, Response>(([(header::SET_COOKIE, cookie)], Json(json!({"to": to}))))
    };
    done.await.into_response()
}

/// `POST /sign-out`.
pub(super) async fn sign_out(State(web): Web, headers: HeaderMap) -> Response {
    web.sessions.close(&headers);
    let gone = "staff=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0".to_owned();
    ([(header::SET_COOKIE, gone)], StatusCode::NO_CONTENT).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use proptest::prelude::*;

    fn with(id: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, format!("staff={id}").parse().unwrap());
        headers
    }

    #[test]
    fn a_session_ends_when_it_is_not_used_and_after_a_shift() {
        let (sessions, clock) = (Sessions::default(), Clock::simulated(jiff::Timestamp::UNIX_EPOCH));
        let id = sessions.open("mia", Role::Staff, clock.now());
        for _ in 0..24 {
            clock.advance(IDLE - Duration::from_secs(1));
            assert!(sessions.of(&with(&id), clock.now()).is_some());
        }
        clock.advance(IDLE - Duration::from_secs(1));
        assert!(sessions.of(&with(&id), clock.now()).is_none(), "longer than a shift");
        let id = sessions.open("mia", Role::Staff, clock.now());
        clock.advance(IDLE);
        assert!(sessions.of(&with(&id), clock.now()).is_none(), "not used");
        assert!(sessions.of(&with("other"), clock.now()).is_none());
    }

    #[test]
    fn wrong_secrets_make_one_wait_longer_and_longer() {
        let (sessions, clock) = (Sessions::default(), Clock::simulated(jiff::Timestamp::UNIX_EPOCH));
        let mut last = 0;
        for n in 0..10 {
            let wait = sessions.must_wait("mia", clock.now()).unwrap_or(0);
            assert!(if n < FREE { wait == 0 } else { wait > last || wait > 500 }, "{n}: {wait}");
            last = wait;
            clock.advance(Duration::from_secs(wait));
            sessions.was_wrong("mia", clock.now());
        }
        assert_eq!(sessions.must_wait("ben", clock.now()), None);
        sessions.was_right("mia");
        assert_eq!(sessions.must_wait("mia", clock.now()), None);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }
    }
}
