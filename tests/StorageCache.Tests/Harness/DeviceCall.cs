using StorageCache.IO;

namespace StorageCache.Tests.Harness;

/// <summary>One request as a <see cref="ScriptedDevice"/> saw it.</summary>
internal readonly record struct DeviceCall(BlockOperation Operation, long Offset, int Bytes, int Segments)
{
    public long Page => Offset / 4096;

    public long EndPage => (Offset + Bytes + 4095) / 4096;

    public bool Covers(long page) => page >= Page && page < EndPage;
}
