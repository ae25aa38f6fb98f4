//! The newcomer's whole loop, in a real browser.
