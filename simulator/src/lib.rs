//! Twilio on the wire: the whole loop without an account.
