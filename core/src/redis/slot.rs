//! The hash slots of a Redis Cluster.

/// The hash slot of a key in a Redis Cluster: CRC16 of the part in the first braces, if there is one, else of it all.
#[must_use]
pub fn slot(key: &[u8]) -> u16 {
    let tag = key
        .iter()
        .position(|byte| *byte == b'{')
        .and_then(|open| key.get(open.saturating_add(1)..))
        .and_then(|rest| {
            rest.iter()
                .position(|byte| *byte == b'}')
                .and_then(|end| rest.get(..end))
        })
        .filter(|tag| !tag.is_empty())
        .unwrap_or(key);
    // CRC-16/XMODEM, as in the specification of Redis Cluster.
    let crc = tag.iter().fold(0_u16, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 {
                crc << 1
            } else {
                (crc << 1) ^ 0x1021
            }
        })
    });
    crc % 16_384
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_specification() {
        // CRC16("123456789") is 0x31C3 in the specification of Redis Cluster.
        assert_eq!(slot(b"123456789"), 0x31c3);
        assert_eq!(slot(b"{user1000}.following"), slot(b"user1000"));
        assert_eq!(slot(b"foo{}{bar}"), slot(b"foo{}{bar}"));
        assert_eq!(slot(b"foo{{bar}}zap"), slot(b"{bar"));
        assert_eq!(slot(b"foo{bar}{zap}"), slot(b"bar"));
    }
}
