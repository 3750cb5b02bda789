//! The recurrent networks' cell and what it computes with. The basket network follows a member from
//! visit to visit, the rhythm network follows one product of one member from purchase to purchase;
//! both keep a state that one step advances, however long the history.

pub mod activation;
pub mod cell;
pub mod linear;
