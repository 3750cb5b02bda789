//! The learned ranker: one softmax over evidence and two recurrent networks. Pure: plain data in,
//! plain data out.

pub mod content;
pub mod corpus;
pub mod digest;
pub mod evidence;
pub mod facts;
pub mod features;
pub mod item_item;
pub mod item_table;
pub mod model;
pub mod model_file;
pub mod neighbours;
pub mod numbering;
pub mod sequence;
pub mod sparse;
pub mod state;
pub mod tensors;
pub mod tifu;
pub mod trend;
pub mod weights;
