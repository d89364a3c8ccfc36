using System.Diagnostics;

namespace StorageCache.IO;

/// <summary>
/// Keeps back what the calling thread submits, so that requests that are made one after the other go to the kernel together: one
/// system call, and one notification of the device, for all. What the block layer of Linux calls a plug.
/// </summary>
/// <remarks>
/// <code>
/// using (SubmissionPlug.Begin())
/// {
///     // Submit many requests; wait for none.
/// }
/// </code>
/// <para>
/// It is the thread that is plugged, whatever engines and devices are used meanwhile. An engine that gains nothing from it ignores it, and so
/// does a device of the host's own. Plugs nest: the outermost one lets go. Nothing is kept back for long (I/O-19): at most
/// <see cref="MostKept"/> requests at a time, never while the thread blocks in the cache, and never while code runs on it that is not the
/// cache's. The structure cannot live across an <c>await</c>, so no thread leaves its plug behind.
/// </para>
/// <para>Allocates an object per thread, at its first plug. Thread safety: belongs to the thread that began it.</para>
/// </remarks>
internal readonly ref struct SubmissionPlug
{
    /// <summary>How many requests are kept back at most; the next one sends them off.</summary>
    public const int MostKept = 32;

    [ThreadStatic]
    private static State? s_here;

    private readonly State? _state;

    private SubmissionPlug(State state) => _state = state;

    /// <summary>Whether the calling thread has kept a request back.</summary>
    public static bool IsKeeping => s_here is { Count: > 0 };

    /// <summary>Plugs the calling thread until the result is disposed of, on the same thread and once.</summary>
    public static SubmissionPlug Begin()
    {
        State state = s_here ??= new State();
        state.Depth++;
        return new SubmissionPlug(state);
    }

    /// <summary>
    /// Sends off what the calling thread has kept back; a plugged thread stays plugged. To be called before it blocks for anything that
    /// I/O may have to bring (I/O-19).
    /// </summary>
    public static void Flush()
    {
        if (s_here is { Count: > 0 } state)
        {
            state.Flush();
        }
    }

    /// <summary>
    /// Sends off what is kept back, and keeps nothing back until the result is disposed of: for code that is not the cache's, which may
    /// wait for what it has asked for in ways that the cache does not see.
    /// </summary>
    public static Suspension Suspend() => new(s_here);

    /// <summary>Keeps a request back, if the calling thread is plugged. Otherwise the caller submits it.</summary>
    /// <param name="engine">What the request is for; its submission is not to fail but for its being closed.</param>
    /// <param name="request">In no queue.</param>
    /// <param name="device">What carries it out.</param>
    public static bool TryKeep(IPluggable engine, BlockRequest request, IBlockDevice device)
    {
        if (s_here is not { Depth: > 0 } state)
        {
            return false;
        }

        state.Keep(engine, request, device);
        return true;
    }

    /// <summary>Sends off what was kept back, unless the thread was plugged before.</summary>
    public void Dispose()
    {
        if (_state is not null)
        {
            Debug.Assert(_state == s_here && _state.Depth > 0, "a plug is pulled once, by the thread that is plugged (I/O-19)");
            _state.Depth--;
            if (_state.Depth == 0)
            {
                _state.Flush();
            }
        }
    }

    /// <summary>Ends with the thread as plugged as it was.</summary>
    public readonly ref struct Suspension
    {
        private readonly State? _state;
        private readonly int _depth;

        internal Suspension(State? state)
        {
            if (state is { Depth: > 0 })
            {
                _state = state;
                _depth = state.Depth;
                state.Depth = 0;
                state.Flush();
            }
        }

        /// <summary>Plugs the thread again, if it was plugged.</summary>
        public void Dispose()
        {
            if (_state is not null)
            {
                Debug.Assert(_state == s_here && _state.Depth == 0, "what ran meanwhile has pulled its own plugs (I/O-19)");
                _state.Depth = _depth;
            }
        }
    }

    /// <summary>What one thread keeps back.</summary>
    internal sealed class State
    {
        private RequestQueue _kept;
        private IPluggable? _engine;

        /// <summary>Plugs that were begun and not pulled; 0 while they are suspended.</summary>
        public int Depth { get; set; }

        /// <summary>Requests kept back.</summary>
        public int Count { get; private set; }

        public void Keep(IPluggable engine, BlockRequest request, IBlockDevice device)
        {
            if (_engine != engine)
            {
                // Of another cache. One at a time is enough: it is rare that two take turns.
                Flush();
                _engine = engine;
            }

            request.Device = device;
            _kept.AddLast(request);
            Count++;
            if (Count == MostKept)
            {
                Flush();
            }
        }

        public void Flush()
        {
            if (Count == 0)
            {
                return;
            }

            // Before they are submitted, which may complete requests and so run code that comes here again.
            RequestQueue kept = _kept;
            IPluggable engine = _engine!;
            _kept = default;
            _engine = null;
            Count = 0;
            engine.SubmitKept(kept);
        }
    }
}
