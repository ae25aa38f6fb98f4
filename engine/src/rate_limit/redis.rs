//! Rate limits shared by all workers, through Redis. The time is Redis' own, so clocks that differ do no harm.

use super::{Key, Limiter};
use crate::{
    error::{Error, Result},
    queue::redis::{Redis, away},
};
use async_trait::async_trait;
use domain::rate::Grant;
use redis::Script;
use std::sync::LazyLock;

static SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("../rate_limit.lua")));

/// Limits of all processes.
pub struct RedisLimiter {
    redis: Redis,
}

impl RedisLimiter {
    /// Keeps its cells there.
    pub fn new(redis: Redis) -> Self {
        Self { redis }
    }

    /// Runs the script; `now_us` overrides Redis' time in tests.
    async fn run(&self, what: &str, keys: &[Key], units: i64, now_us: Option<u64>) -> Result<(u32, u64)> {
        let mut call = SCRIPT.prepare_invoke();
        call.arg(what).arg(units).arg(now_us.map(|us| us.to_string()).unwrap_or_default());
        for key in keys {
            call.key(self.redis.key(&format!("rate:{}", key.name)));
            call.arg(key.limit.per_second).arg(key.limit.burst);
        }
        call.invoke_async(&mut self.redis.manager()).await.map_err(away)
    }

    async fn take_at(&self, keys: &[Key], wanted: u32, now_us: Option<u64>) -> Result<Grant> {
        match self.run("take", keys, wanted.max(1).into(), now_us).await? {
            (0, wait_us) if wait_us > 0 => Ok(Grant::Wait(wait_us)),
            (units, in_us) if units > 0 => Ok(Grant::Granted { units, in_us }),
            answer => Err(Error::internal(format!("the rate limit answered {answer:?}"))),
        }
    }
}

#[async_trait]
impl Limiter for RedisLimiter {
    async fn take(&self, keys: &[Key], wanted: u32) -> Result<Grant> {
        self.take_at(keys, wanted, None).await
    }

    async fn adjust(&self, keys: &[Key], units: i64) -> Result<()> {
        if units == 0 || keys.is_empty() {
            return Ok(());
        }
        self.run("adjust", keys, units, None).await.map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::rate::{Cell, Limit, adjust, room, take};
    use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

    /// The script and the function of `domain` grant alike, call by call, over a thousand of them.
    #[tokio::test]
    async fn the_script_keeps_the_same_limits_as_the_domain() {
        let server = crate::queue::redis::tests::Server::start().await;
        let limiter = RedisLimiter::new(server.redis().await);
        let mut random = StdRng::seed_from_u64(7);
        for round in 0..20 {
            let key = Key { name: format!("sender:{round}"), limit: Limit::per_second(random.random_range(1..2_000)) };
            let (mut cell, mut now_us) = (Cell::default(), 1_700_000_000_000_000u64);
            for _ in 0..50 {
                now_us += random.random_range(0..40_000);
                let wanted = random.random_range(1..200);
                let expected = room(cell, key.limit, now_us, wanted);
                let answer = limiter.take_at(std::slice::from_ref(&key), wanted, Some(now_us)).await.unwrap();
                assert_eq!(answer, expected, "{key:?} at {now_us}");
                if let Grant::Granted { units, .. } = expected {
                    cell = take(cell, key.limit, now_us, units);
                    let more = random.random_range(-i64::from(units)..50);
                    cell = adjust(cell, key.limit, now_us, more);
                    limiter.run("adjust", std::slice::from_ref(&key), more, Some(now_us)).await.unwrap();
                }
            }
        }
    }

    #[tokio::test]
    async fn the_tightest_of_several_limits_decides_and_none_is_charged_for_a_refusal() {
        let server = crate::queue::redis::tests::Server::start().await;
        let limiter = RedisLimiter::new(server.redis().await);
        let key = |name: &str, per_second| Key { name: name.to_owned(), limit: Limit::per_second(per_second) };
        let (wide, narrow) = (key("account", 1_000), key("sender", 10));
        let (start, later) = (Some(1_700_000_000_000_000), Some(1_700_000_000_050_000));
        let granted = |units, in_us| Grant::Granted { units, in_us };
        assert_eq!(limiter.take_at(&[wide.clone(), narrow.clone()], 50, start).await.unwrap(), granted(1, 99_990));
        assert_eq!(limiter.take_at(&[wide.clone(), narrow], 50, later).await.unwrap(), Grant::Wait(51_000));
        assert_eq!(limiter.take_at(&[wide], 500, later).await.unwrap(), granted(49, 51_000));
    }
}
