using System.Runtime.CompilerServices;
using StorageCache.Workloads.Hit;

namespace StorageCache.Workloads.Wait;

/// <summary>The same waiters in the baseline's 256 queues. Used from one thread.</summary>
internal sealed class SpreadHashedWaiters : ISpread
{
    private const int BytesPerBuffer = 64;
    private const long Exclusive = 1;

    private readonly HashedWaitTable _table = new();
    private readonly WakeTimer _timer = new();
    private readonly int _parked;
    private readonly long[] _targetWords;
    private int _nextTarget;

    /// <summary>Parks the waiters, in random order: a queue does not lie in memory in the order of its buffers.</summary>
    /// <param name="parked">How many wait, each for a buffer of its own.</param>
    /// <param name="targets">How many further buffers are waited for and woken in turn.</param>
    public SpreadHashedWaiters(int parked, int targets)
    {
        _parked = parked;
        _targetWords = new long[targets];
        foreach (int buffer in PageSequence.Permutation(parked, seed: 13))
        {
            Await(_table.WaitAsync(KeyOf(buffer)));
        }
    }

    /// <inheritdoc/>
    public WakeResult Wake(int wakes)
    {
        long examinedBefore = _table.Examined;
        _timer.Begin();
        for (int i = 0; i < wakes; i++)
        {
            int target = _nextTarget++ % _targetWords.Length;
            long key = KeyOf(_parked + target);
            Interlocked.Or(ref _targetWords[target], Exclusive);
            ConfiguredValueTaskAwaitable.ConfiguredValueTaskAwaiter waiter = Await(_table.WaitAsync(key));
            _timer.Start();

            // What a release does besides waking: the cache's release pays for its latch word too.
            Interlocked.And(ref _targetWords[target], ~Exclusive);
            _table.Wake(key);
            _timer.Record();
            waiter.GetResult();
        }

        _timer.End();
        return _timer.Result((double)(_table.Examined - examinedBefore) / wakes);
    }

    // Buffers are hashed by their addresses, as in Linux.
    private static long KeyOf(int buffer) => (long)buffer * BytesPerBuffer;

    private ConfiguredValueTaskAwaitable.ConfiguredValueTaskAwaiter Await(ValueTask pending)
    {
        ConfiguredValueTaskAwaitable.ConfiguredValueTaskAwaiter awaiter = pending.ConfigureAwait(false).GetAwaiter();
        awaiter.UnsafeOnCompleted(_timer.Continuation);
        return awaiter;
    }
}
