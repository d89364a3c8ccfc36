using System.Runtime.InteropServices;

namespace StorageCache.KeyValueStore.Concurrency;

/// <summary>Counts the operations in progress, so that closing can wait for them and refuse new ones.</summary>
/// <remarks>
/// The count is striped over cache lines, because every read passes here and readers otherwise share nothing that is written to.
/// An operation counts itself and then looks whether the gate is closed; closing closes the gate and then looks at the counts; so one of the two
/// sees the other. Thread-safe.
/// </remarks>
internal sealed class OperationGate
{
    private readonly Stripe[] _stripes = new Stripe[(int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Environment.ProcessorCount)];
    private readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _closed;

    public bool IsClosed => Volatile.Read(ref _closed) != 0;

    /// <summary>Enters. False when the gate is closed.</summary>
    public bool TryEnter(out Ticket ticket)
    {
        int stripe = Environment.CurrentManagedThreadId & (_stripes.Length - 1);
        Interlocked.Increment(ref _stripes[stripe].Count);
        ticket = new Ticket(this, stripe);
        if (!IsClosed)
        {
            return true;
        }

        ticket.Dispose();
        ticket = default;
        return false;
    }

    /// <summary>Closes the gate. False when it is closed already.</summary>
    public bool TryClose() => Interlocked.Exchange(ref _closed, 1) == 0;

    /// <summary>Completes when every operation has left a closed gate.</summary>
    public Task WaitForDrainAsync()
    {
        CompleteIfDrained();
        return _drained.Task;
    }

    private void Exit(int stripe)
    {
        Interlocked.Decrement(ref _stripes[stripe].Count);
        if (IsClosed)
        {
            CompleteIfDrained();
        }
    }

    private void CompleteIfDrained()
    {
        // An operation leaves on the stripe it came on. Once the gate is closed a stripe seen at zero holds no operation that
        // was let in, now or later, so the stripes need not be zero at one moment.
        foreach (ref Stripe stripe in _stripes.AsSpan())
        {
            if (Volatile.Read(ref stripe.Count) != 0)
            {
                return;
            }
        }

        _drained.TrySetResult();
    }

    /// <summary>One operation's stay.</summary>
    internal readonly struct Ticket(OperationGate gate, int stripe) : IDisposable
    {
        public void Dispose() => gate.Exit(stripe);
    }

    [StructLayout(LayoutKind.Explicit, Size = 128)]
    private struct Stripe
    {
        [FieldOffset(0)]
        public int Count;
    }
}
