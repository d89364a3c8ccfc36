using StorageCache.Mappings;
using StorageCache.Waiting;

namespace StorageCache;

/// <content>Pages on their way through the mapping's codec, whose code is the host's: whatever it does, it is one page that fails.</content>
public sealed unsafe partial class Mapping
{
    /// <summary>Encodes a page whose bytes stand still into memory of the write's own.</summary>
    /// <param name="page">The page.</param>
    /// <param name="frame">Its frame.</param>
    /// <param name="bounce">The frame that takes what is stored.</param>
    /// <param name="error">Why it cannot be written.</param>
    internal bool TryEncode(long page, uint frame, uint bounce, out IOException? error)
    {
        try
        {
            Codec!.Encode(new PageIdentity(Codec.FileId, page), new ReadOnlySpan<byte>(ReadAddressOf(frame), PageSize), new Span<byte>(AddressOf(bounce), PageSize));
            error = null;
            return true;
        }
        catch (Exception thrown)
        {
            error = Throw.MakeCodecFailed(this, page, "Encoding", thrown);
            return false;
        }
    }

    /// <summary>
    /// Decodes a page that has been read, before anybody sees it (PC-1). If it is not that page, a load of it alone is added to those that
    /// are to fail.
    /// </summary>
    /// <param name="load">What was read.</param>
    /// <param name="index">Which page of it.</param>
    /// <param name="validBytes">How many bytes of the page the device has brought.</param>
    /// <param name="defects">Takes it, if it is defect.</param>
    private bool TryDecode(PageLoad load, int index, int validBytes, ref List<(PageLoad Load, IOException Error)>? defects)
    {
        long page = load.FirstPage + index;
        uint frame = load.FrameAt(index);
        ClearBeyondEnd(page, frame, validBytes);
        Span<byte> bytes = new(AddressOf(frame), PageSize);
        if (!bytes.ContainsAnyExcept((byte)0))
        {
            // Never stored, or punched (PC-4).
            return true;
        }

        if (TryDecode(page, bytes) is not { } error)
        {
            // So that pages that are equal are equal in memory, however they were stored (PC-6).
            bytes[UsablePageSize..].Clear();
            return true;
        }

        AddDefect(load, index, error, ref defects);
        return false;
    }

    /// <summary>Decodes a page in place. Returns why it cannot be had, or null.</summary>
    private IOException? TryDecode(long page, Span<byte> bytes)
    {
        try
        {
            if (Codec!.TryDecode(new PageIdentity(Codec.FileId, page), bytes, out PageDefect defect))
            {
                return null;
            }

            _core.Counters.FoundCorrupt();
            return Throw.MakeCorrupt(Path, page, defect);
        }
        catch (Exception thrown)
        {
            _core.Counters.ReadFailed();
            return Throw.MakeCodecFailed(this, page, "Decoding", thrown);
        }
    }
}
