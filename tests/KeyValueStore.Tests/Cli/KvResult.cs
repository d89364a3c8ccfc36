namespace StorageCache.KeyValueStore.Tests.Cli;

/// <summary>How a run of <c>kv</c> has ended.</summary>
internal sealed record KvResult(int ExitCode, string Output, string Error);
