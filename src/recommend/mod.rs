//! From a member's profile and the store's catalogue to a slate whose every reason is true. Pure.

mod slate;

pub use slate::{Audience, Greeting, Language, Money, Product, Reason, Slate, Suggestion};
