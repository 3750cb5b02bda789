//! Consent, keys, erasure, audit: what makes a promise to a member provable.
