//! Lockers that run on smol: the feature `smol`.

use crate::lockers::lockers_on;
use crate::runtime::smol::Smol;

lockers_on! {
    Smol;

    /// Connects to servers, and runs the driver as a task of smol's global executor.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), tenure::ConnectError> {
    /// # smol::block_on(async {
    /// let locker = tenure::smol::connect("redis://127.0.0.1:6379").await?;
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
    /// # smol::block_on(async {
    /// let server = tenure::smol::Memory::new();
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
