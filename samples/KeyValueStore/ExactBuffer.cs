using System.Buffers;

namespace StorageCache.KeyValueStore;

/// <summary>Receives one value in an array of just its length.</summary>
internal sealed class ExactBuffer : IBufferWriter<byte>
{
    /// <summary>The value; of no use before the read has succeeded.</summary>
    public byte[] Array { get; private set; } = [];

    public void Advance(int count)
    {
    }

    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        if (Array.Length != sizeHint)
        {
            Array = new byte[sizeHint];
        }

        return Array;
    }

    public Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;
}
