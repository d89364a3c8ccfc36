using System.Runtime.InteropServices;

namespace StorageCache.Platform.Native;

internal static unsafe partial class NativeMethods
{
    /// <summary>The most completions that one <see cref="RingReap"/> takes (<c>SC_REAP_MAX</c>).</summary>
    public const int ReapMax = 128;

    /// <summary>Creates a ring.</summary>
    /// <param name="entries">Of the submission queue, at least 1; rounded up to a power of two, at most 32,768.</param>
    /// <param name="completionEntries">Of the completion queue, at least <paramref name="entries"/>; 0 for twice as many.</param>
    /// <param name="flags">Wishes, but for <see cref="RingFlags.Disabled"/>: a kernel that does not know one goes without.</param>
    /// <param name="ring">The ring, if 0 is returned.</param>
    [LibraryImport(Library, EntryPoint = "sc_ring_create")]
    public static partial int RingCreate(uint entries, uint completionEntries, RingFlags flags, NativeRing** ring);

    /// <summary>What was granted.</summary>
    [LibraryImport(Library, EntryPoint = "sc_ring_info")]
    public static partial int RingInfo(NativeRing* ring, RingProperties* properties);

    /// <summary>Starts a disabled ring; the calling thread becomes the single issuer.</summary>
    [LibraryImport(Library, EntryPoint = "sc_ring_enable")]
    public static partial int RingEnable(NativeRing* ring);

    /// <summary>Ends a ring whose requests have all been reaped; <c>-EBUSY</c>, and nothing has changed, if some have not.</summary>
    [LibraryImport(Library, EntryPoint = "sc_ring_destroy")]
    public static partial int RingDestroy(NativeRing* ring);

    /// <summary>Puts requests into the submission queue as far as there is room, and returns how many. Submit side.</summary>
    [LibraryImport(Library, EntryPoint = "sc_ring_prepare")]
    public static partial int RingPrepare(NativeRing* ring, RingRequest* requests, uint count);

    /// <summary>Entries free in the submission queue. Submit side.</summary>
    [LibraryImport(Library, EntryPoint = "sc_ring_space")]
    [SuppressGCTransition]
    public static partial int RingSpace(NativeRing* ring);

    /// <summary>
    /// Submits what is prepared, waits for completions if <paramref name="minComplete"/> is not 0, and returns how many requests were
    /// submitted. An error means that none was. Submit side.
    /// </summary>
    /// <param name="ring">The ring.</param>
    /// <param name="minComplete">How many completions to wait for.</param>
    /// <param name="timeoutNanoseconds">0: no wait; negative: no limit.</param>
    [LibraryImport(Library, EntryPoint = "sc_ring_enter")]
    public static partial int RingEnter(NativeRing* ring, uint minComplete, long timeoutNanoseconds);

    /// <summary>Waits until completions can be reaped, and submits nothing; with no time or nothing to wait for, fetches what the kernel holds.</summary>
    /// <param name="ring">The ring.</param>
    /// <param name="minComplete">How many completions to wait for.</param>
    /// <param name="timeoutNanoseconds">0: no wait; negative: no limit.</param>
    [LibraryImport(Library, EntryPoint = "sc_ring_wait")]
    public static partial int RingWait(NativeRing* ring, uint minComplete, long timeoutNanoseconds);

    /// <summary>Takes up to <see cref="ReapMax"/> completions, oldest first, and returns how many. Reap side.</summary>
    [LibraryImport(Library, EntryPoint = "sc_ring_reap")]
    [SuppressGCTransition]
    public static partial int RingReap(NativeRing* ring, RingCompletion* completions, uint capacity);

    /// <summary>Where there are completions now (<see cref="CompletionStates"/>).</summary>
    [LibraryImport(Library, EntryPoint = "sc_ring_has_completions")]
    [SuppressGCTransition]
    public static partial int RingHasCompletions(NativeRing* ring);

    /// <summary>Requests that were prepared and whose completions have not been reaped; never too low.</summary>
    [LibraryImport(Library, EntryPoint = "sc_ring_outstanding")]
    [SuppressGCTransition]
    public static partial int RingOutstanding(NativeRing* ring);

    /// <summary>Registers descriptors; -1 leaves an entry empty. Submit side.</summary>
    [LibraryImport(Library, EntryPoint = "sc_ring_register_files")]
    public static partial int RingRegisterFiles(NativeRing* ring, int* files, uint count);

    /// <summary>Replaces registered descriptors, and returns how many. Submit side.</summary>
    [LibraryImport(Library, EntryPoint = "sc_ring_update_files")]
    public static partial int RingUpdateFiles(NativeRing* ring, uint first, int* files, uint count);

    /// <summary>Lets go of all registered descriptors. Submit side.</summary>
    [LibraryImport(Library, EntryPoint = "sc_ring_unregister_files")]
    public static partial int RingUnregisterFiles(NativeRing* ring);

    /// <summary>Registers memory, which must not be decommitted or unmapped while it is registered (N-9). Any thread.</summary>
    [LibraryImport(Library, EntryPoint = "sc_ring_register_buffers")]
    public static partial int RingRegisterBuffers(NativeRing* ring, IoVector* buffers, uint count);

    /// <summary>Replaces registered memory, and returns how many buffers; one of no length empties an entry. Any thread.</summary>
    [LibraryImport(Library, EntryPoint = "sc_ring_update_buffers")]
    public static partial int RingUpdateBuffers(NativeRing* ring, uint first, IoVector* buffers, uint count);

    /// <summary>Unpins all registered memory. Any thread.</summary>
    [LibraryImport(Library, EntryPoint = "sc_ring_unregister_buffers")]
    public static partial int RingUnregisterBuffers(NativeRing* ring);

    /// <summary>An event to wake a thread that waits in a ring: returns its descriptor, of which a read of 8 bytes is kept in flight.</summary>
    [LibraryImport(Library, EntryPoint = "sc_event_create")]
    public static partial int EventCreate();

    /// <summary>Signals an event.</summary>
    [LibraryImport(Library, EntryPoint = "sc_event_signal")]
    public static partial int EventSignal(int file);
}
