//! Lockers that run on async-std: the feature `async-std`.
//!
//! async-std is discontinued, and names [smol](crate::smol) as its successor. Programs that still run on it are served;
//! new ones should choose another runtime.

use crate::lockers::lockers_on;
use crate::runtime::async_std::AsyncStd;

lockers_on! {
    AsyncStd;

    /// Connects to servers, and runs the driver as a task of async-std's global executor.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), tenure::ConnectError> {
    /// # async_std::task::block_on(async {
    /// let locker = tenure::async_std::connect("redis://127.0.0.1:6379").await?;
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    connect;

    /// Returns a locker and its driver, for running the driver yourself, for example on an executor of your own.
    open;

    memory;

    ///
    /// Its time is that of the machine.
    ///
    /// ```
    /// # fn main() -> Result<(), tenure::ObtainError> {
    /// # async_std::task::block_on(async {
    /// let server = tenure::async_std::Memory::new();
    /// let (alice, bob) = (server.locker(), server.locker());
    /// let lock = alice.obtain("nightly").await?;
    /// assert!(bob.try_obtain("nightly").await?.is_none());
    /// lock.release().await;
    /// bob.obtain("nightly").await?;
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    Memory;

    /// # Panics
    /// Without random bytes from the operating system.
    locker;
}
