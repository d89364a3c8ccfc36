using System.Runtime.CompilerServices;
using StorageCache.IO.Ring;
using Xunit;

namespace StorageCache.Tests.IO;

/// <summary>A theory that needs a ring; skipped, with the reason, where this run is to do without.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class RingTheoryAttribute : TheoryAttribute
{
    public RingTheoryAttribute([CallerFilePath] string? file = null, [CallerLineNumber] int line = -1)
        : base(file, line) => Skip = RingAvailability.Reason;
}
