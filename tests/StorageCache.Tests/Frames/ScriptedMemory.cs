using StorageCache.IO;

namespace StorageCache.Tests.Frames;

/// <summary>Registered memory that remembers what was asked of it, and does what the test says.</summary>
internal sealed unsafe class ScriptedMemory(int pieces) : IRegisteredMemory
{
    private readonly long[] _lengths = new long[pieces];

    public int PieceShift => 21;

    public int Pieces => _lengths.Length;

    public long Bytes => _lengths.Sum();

    public bool IsRefused { get; set; }

    public bool RefusesToWithdraw { get; set; }

    public int Withdrawals { get; private set; }

    /// <summary>Is called with each piece that is to be withdrawn.</summary>
    public Action<int>? Withdrawing { get; set; }

    /// <summary>Is called with each piece that is to be registered.</summary>
    public Action<int>? Registering { get; set; }

    public bool[] Registered => [.. _lengths.Select(length => length > 0)];

    public nint StartOf { get; private set; }

    public long LengthOf(int piece) => _lengths[piece];

    public bool TryRegister(int piece, byte* start, long length)
    {
        Registering?.Invoke(piece);
        StartOf = (nint)start;
        _lengths[piece] = IsRefused ? 0 : length;
        return !IsRefused;
    }

    public bool TryWithdraw(int piece)
    {
        Withdrawing?.Invoke(piece);
        Withdrawals++;
        _lengths[piece] = RefusesToWithdraw ? _lengths[piece] : 0;
        return !RefusesToWithdraw;
    }
}
