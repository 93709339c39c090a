//! Into how many tables the requests of one run go.

use super::{Result, SqlError};

/// More shards than this cannot be written at once: so many partitions of a table may one
/// statement write (quotas page, "partitions modified by a single job").
pub const MOST_SHARDS: u32 = 4_000;

/// Into how many shards so many rows go, so that none has more than `limit`.
///
/// Rows go by a hash of their key, which fills shards evenly but not equally: each is left room
/// for six standard deviations, which one shard in a billion exceeds. The check behind the build
/// tells if one did.
///
/// # Errors
/// Where more than [`MOST_SHARDS`] were needed, or the limit is 0.
pub fn shards_for(rows: u64, limit: u64) -> Result<u32> {
    if rows <= limit && limit != 0 {
        return Ok(1);
    }
    let room = limit.saturating_sub(6 * limit.isqrt()).max(1);
    match u32::try_from(rows.div_ceil(room)) {
        Ok(shards) if limit != 0 && shards <= MOST_SHARDS => Ok(shards),
        _ => Err(SqlError::new(format!("{rows} rows in shards of {limit} are more than {MOST_SHARDS} shards"))
            .with_hint("run parts of the table one after the other, by a SELECT with a WHERE")),
    }
}

/// The number of a row's shard, from 0. `ABS` is of the remainder: the hash itself may be the one
/// integer that has no positive counterpart.
pub(super) fn number(key: &str, shards: u32) -> String {
    format!("ABS(MOD(FARM_FINGERPRINT({key}), {shards}))")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_have_room_for_an_uneven_hash() {
        assert_eq!(shards_for(0, 200_000).unwrap(), 1);
        assert_eq!(shards_for(200_000, 200_000).unwrap(), 1);
        assert_eq!(shards_for(200_001, 200_000).unwrap(), 2);
        assert_eq!(shards_for(1_000_000, 200_000).unwrap(), 6);
        assert!(shards_for(1_000_000_000, 200_000).is_err());
        assert!(shards_for(1, 0).is_err());
    }
}
