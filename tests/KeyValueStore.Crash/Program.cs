using StorageCache.KeyValueStore.Crash.Runs;

return await CrashCommand.Create().Parse(args).InvokeAsync().ConfigureAwait(false);
