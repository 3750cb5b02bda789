//! What a history says about a member: habits and repurchase rhythm. Pure.
