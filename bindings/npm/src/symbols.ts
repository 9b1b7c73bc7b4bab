/** Runtimes without explicit resource management lack the symbol that `await using` looks for; compilers look for this one. */
(Symbol as { asyncDispose?: symbol }).asyncDispose ??= Symbol.for("Symbol.asyncDispose");
