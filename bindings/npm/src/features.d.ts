/** Whether the engine has modes; the bundler puts the value in, and leaves out what is not used then. */
declare const MODES: boolean;
