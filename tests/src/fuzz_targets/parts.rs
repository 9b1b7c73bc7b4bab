//! What servers reply: bytes that a fuzzer would hardly find.

/// Greetings, and replies to exclusive locks.
pub(super) const PARTS: [&[u8]; 16] = [
    b"%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.0.1\r\n",
    b"+OK\r\n+OK\r\n+OK\r\n+OK\r\n*2\r\n*-1\r\n*-1\r\n:1\r\n",
    b"+OK\r\n+OK\r\n+OK\r\n+OK\r\n*2\r\n*1\r\n$7\r\ndelifeq\r\n_\r\n:1\r\n",
    b"-ERR unknown command 'HELLO'\r\n",
    b"+OK\r\n:500\r\n",
    b"_\r\n:77\r\n",
    b"$-1\r\n:-2\r\n",
    b":1\r\n",
    b":0\r\n",
    b"-NOSCRIPT No matching script.\r\n",
    b"-LOADING it loads\r\n",
    b"-READONLY it is a replica\r\n",
    b">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\na\r\n",
    b">2\r\n$10\r\ninvalidate\r\n_\r\n",
    b"$22\r\nAAAAAAAAAAAAAAAAAAAAAA\r\n",
    b":500\r\n",
];

/// Replies to locks of other modes.
pub(super) const MODE_PARTS: [&[u8]; 16] = [
    b"+OK\r\n",
    // Somebody has the key alone, for a while or forever.
    b"*3\r\n:0\r\n:500\r\n$0\r\n\r\n",
    b"*3\r\n:0\r\n:-1\r\n$0\r\n\r\n",
    // Others share it.
    b"*3\r\n:-1\r\n:500\r\n$0\r\n\r\n",
    // Others have waited for longer.
    b"*3\r\n:-2\r\n:500\r\n$8\r\nAAAAAAAA\r\n",
    b"*3\r\n:-2\r\n:60\r\n$8\r\nBBBBBBBB\r\n",
    b"*3\r\n:-2\r\n:0\r\n$0\r\n\r\n",
    // What no server says.
    b"*3\r\n:-3\r\n:500\r\n$0\r\n\r\n",
    b"*3\r\n:-1\r\n_\r\n*1\r\n:7\r\n",
    b"*2\r\n:0\r\n:500\r\n",
    b":1700000000000000\r\n",
    b"-ERR user_script:9: @user_script: 9: this user has no permissions to run the 'zadd' command\r\n",
    b">2\r\n$10\r\ninvalidate\r\n*1\r\n$17\r\n{a}~bell:AAAAAAAA\r\n",
    b"$7\r\n~shared\r\n",
    b",1700000000000\r\n",
    b"*6\r\n$7\r\n~shared\r\n:500\r\n:2\r\n:1\r\n$16\r\n1700000000000000\r\n\
      *2\r\n$22\r\nAAAAAAAAAAAAAAAAAAAAAA\r\n:400\r\n",
];
