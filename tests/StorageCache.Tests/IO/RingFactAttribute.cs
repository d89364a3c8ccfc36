using System.Runtime.CompilerServices;
using StorageCache.IO.Ring;
using Xunit;

namespace StorageCache.Tests.IO;

/// <summary>A test that needs a ring; skipped, with the reason, where this run is to do without.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class RingFactAttribute : FactAttribute
{
    public RingFactAttribute([CallerFilePath] string? file = null, [CallerLineNumber] int line = -1)
        : base(file, line) => Skip = RingAvailability.Reason;
}
