//! `runtime-guest`: guests that boot, are reached and end, and requests that are refused.

mod boots;
mod declared;
mod ends;
mod refusals;
