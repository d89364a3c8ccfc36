namespace StorageCache.Waiting;

/// <summary>
/// Waiters of one cache: a table that finds a waiter by the four-byte index that a buffer head keeps, and a stack of those
/// not in use. Thread-safe. Grows to the largest number that ever waited at once and stays there.
/// </summary>
/// <typeparam name="TWaiter">The waiter's type.</typeparam>
internal sealed class WaiterPool<TWaiter>
    where TWaiter : Waiter
{
    private readonly Lock _lock = new();
    private readonly Func<uint, TWaiter> _create;
    private TWaiter?[] _table = new TWaiter?[64];
    private TWaiter[] _free = new TWaiter[64];
    private int _freeCount;
    private uint _count;

    /// <param name="create">Makes a waiter with an index.</param>
    public WaiterPool(Func<uint, TWaiter> create) => _create = create;

    /// <summary>Waiters ever made.</summary>
    public int Created => (int)Volatile.Read(ref _count);

    /// <summary>Waiters in use.</summary>
    public int InUse => Created - Volatile.Read(ref _freeCount);

    /// <summary>The waiter with an index that a buffer head holds.</summary>
    public TWaiter this[uint index] => Volatile.Read(ref _table)[index]!;

    /// <summary>Takes a waiter.</summary>
    public TWaiter Rent()
    {
        lock (_lock)
        {
            if (_freeCount > 0)
            {
                return _free[--_freeCount];
            }

            uint index = ++_count;
            if (index == _table.Length)
            {
                var table = new TWaiter?[_table.Length * 2];
                _table.CopyTo(table, 0);
                Volatile.Write(ref _table, table);
                _free = new TWaiter[table.Length];
            }

            TWaiter waiter = _create(index);
            _table[index] = waiter;
            return waiter;
        }
    }

    /// <summary>Gives a waiter back.</summary>
    public void Return(TWaiter waiter)
    {
        lock (_lock)
        {
            _free[_freeCount++] = waiter;
        }
    }
}
