//! Lockers that run on tokio.

use crate::lockers::lockers_on;
use crate::runtime::tokio::Tokio;

lockers_on! {
    Tokio;

    /// Connects to servers, and runs the driver as a task of the current runtime, which needs its I/O and time drivers enabled.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    ///
    /// ```no_run
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), tenure::ConnectError> {
    /// use tenure::Servers;
    ///
    /// let locker = tenure::tokio::connect("redis://127.0.0.1:6379").await?;
    /// let redlock = tenure::tokio::connect(Servers::quorum([
    ///     "rediss://me:secret@a.example",
    ///     "rediss://me:secret@b.example",
    ///     "rediss://me:secret@c.example",
    /// ]))
    /// .await?;
    /// # Ok(())
    /// # }
    /// ```
    connect;

    /// Returns a locker and its driver, for running the driver yourself, for example on another tokio runtime or in a
    /// `LocalSet`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tenure::ConnectError> {
    /// let (locker, driver) = tenure::tokio::open("redis://127.0.0.1:6379".into())?;
    /// let driver = tokio::spawn(driver);
    /// locker.close().await;
    /// driver.await.expect("the driver does not panic");
    /// # Ok(())
    /// # }
    /// ```
    open;

    ///
    /// # Panics
    /// Outside of a tokio runtime.
    memory;

    ///
    /// It uses tokio's clock: in a test with `start_paused = true`, waiting takes no real time.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tenure::ObtainError> {
    /// use tenure::{NotObtained, ObtainError};
    ///
    /// let server = tenure::tokio::Memory::new();
    /// let (alice, bob) = (server.locker(), server.locker());
    /// let lock = alice.obtain("nightly").await?;
    /// let refused = bob.obtain("nightly").await;
    /// assert!(matches!(refused, Err(ObtainError::NotObtained(NotObtained::Taken { .. }, ..))));
    /// lock.release().await;
    /// bob.obtain("nightly").await?;
    /// # Ok(())
    /// # }
    /// ```
    Memory;

    /// # Panics
    /// Outside of a tokio runtime, or without random bytes from the operating system.
    locker;
}
