using System.Globalization;
using System.Text;
using StorageCache.Buffers;

namespace StorageCache.Tests.Stress;

/// <content>What tells that a worker hangs, and why.</content>
internal sealed partial class StressRound
{
    private static readonly TimeSpan s_stuckAfter = TimeSpan.FromSeconds(30);

    private void FailIfStuck()
    {
        long now = Environment.TickCount64;
        for (int i = 0; i < _progress.Length; i++)
        {
            if (now - Volatile.Read(ref _progress[i]) > s_stuckAfter.TotalMilliseconds)
            {
                PageOracle.Fail($"worker {i} has been stuck in '{_doing[i]}' for {s_stuckAfter.TotalSeconds:0} s\n{_configuration}\n{Describe()}");
            }
        }
    }

    /// <summary>All that may tell why somebody hangs.</summary>
    private unsafe string Describe()
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"{_cache.GetStatistics()}");
        text.AppendLine(CultureInfo.InvariantCulture, $"waiters {_cache.Core.Waiters.InUse}, loads {_cache.Core.Loads.InUse}, writes {_cache.Core.WriteBack.InUse}, frame queue {_cache.Core.FrameQueue.Count}, permits {_cache.Core.WriteBack.Permits.Available}, free frames {_cache.Core.Frames.Available}, excess {_cache.Core.Frames.Excess}, throttling {_cache.Core.WriteBack.Throttle.IsActive}, device {string.Join('+', _devices.Select(device => device.Pending))}");
        for (int i = 0; i < _doing.Length; i++)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"worker {i}: {_doing[i]}, {Environment.TickCount64 - _progress[i]} ms ago");
        }

        foreach (Mapping mapping in _mappings)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"{mapping.Path}: {mapping.State}, {mapping.Length} bytes, {mapping.ResidentPages} resident, {mapping.DirtyPages} dirty");
            for (long page = 0; page < _configuration.Pages; page++)
            {
                Slot* slot = mapping.Table.Find(page);
                ulong state = slot == null ? 0 : StateWord.Load(slot);
                if ((state & (StateWord.SharedMask | StateWord.Exclusive | StateWord.Loading | StateWord.WriteBack | StateWord.Protected | StateWord.HasWaiters | StateWord.ListLock)) != 0)
                {
                    BufferHead* head = _cache.Core.Heads[slot->Head];
                    text.AppendLine(CultureInfo.InvariantCulture, $"  page {page}: state {state:x16}, frame {slot->Frame}, first waiter {head->Waiters}, pins {head->Pins}");
                }
            }
        }

        return text.ToString();
    }
}
