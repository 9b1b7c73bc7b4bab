//! The public module of a runtime: the same for each, except for its documentation.

/// The functions `connect`, `open` and `memory`, and the type `Memory`, on a [`Runtime`](crate::runtime::Runtime). Before each
/// stands its documentation; what holds for all follows here.
macro_rules! lockers_on {
    (
        $runtime:ty;
        $(#[$connect:meta])* connect;
        $(#[$open:meta])* open;
        $(#[$memory:meta])* memory;
        $(#[$server:meta])* Memory;
        $(#[$locker:meta])* locker;
    ) => {
        $(#[$connect])*
        ///
        /// Waits until enough servers for a quorum are ready. Connecting to the others continues in the background, as does
        /// reconnecting later.
        ///
        /// # Errors
        /// [`ConnectError`](crate::ConnectError) if a URL or setting is invalid, or if too many servers failed at the first
        /// attempt. The longest time for an attempt is [`Servers::connect_timeout`](crate::Servers::connect_timeout) (3 s by
        /// default).
        pub async fn connect(
            servers: impl Into<crate::Servers>,
        ) -> Result<crate::Locker, crate::ConnectError> {
            crate::start::connect::<$runtime>(servers.into()).await
        }

        $(#[$open])*
        ///
        /// Nothing happens unless the driver is polled. It ends when the locker is closed, or when all handles are dropped. It
        /// connects for as long as it runs; [`Locker::ready`](crate::Locker::ready) waits for enough servers.
        ///
        /// # Errors
        /// [`ConnectError`](crate::ConnectError) if a URL or setting is invalid.
        pub fn open(
            servers: crate::Servers,
        ) -> Result<(crate::Locker, impl Future<Output = ()> + Send + 'static), crate::ConnectError>
        {
            crate::start::open::<$runtime>(servers)
        }

        /// A locker with a server of its own within the process, for tests: see [`Memory`].
        $(#[$memory])*
        #[must_use]
        pub fn memory() -> crate::Locker {
            Memory::new().locker()
        }

        /// A server within the process, for tests of code that uses locks. It speaks the same protocol as a real server, and
        /// several lockers can contend for its keys. It is dropped with its last locker.
        $(#[$server])*
        #[derive(Clone, Debug)]
        pub struct Memory(crate::embedded::Embedded);

        impl Memory {
            /// An empty server.
            #[must_use]
            pub fn new() -> Self {
                Self(crate::start::embedded::<$runtime>())
            }

            /// A locker that is connected to it.
            ///
            $(#[$locker])*
            #[must_use]
            pub fn locker(&self) -> crate::Locker {
                crate::start::locker_of::<$runtime>(&self.0)
            }
        }

        impl Default for Memory {
            fn default() -> Self {
                Self::new()
            }
        }
    };
}

pub(crate) use lockers_on;
