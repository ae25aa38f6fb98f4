//! The history of the tables; depends on nothing of ours, so that history stays frozen.
