using System.Runtime.InteropServices;

namespace StorageCache.Sharing;

/// <summary>What the scan remembers of a frame from one pass to the next.</summary>
[StructLayout(LayoutKind.Sequential, Size = SizeInBytes)]
internal struct FrameNote
{
    /// <summary>Bytes per note.</summary>
    public const int SizeInBytes = 12;

    /// <summary>Passes that a page which changes all the time is left alone for at most.</summary>
    private const int MostPasses = 64;

    private uint _owner;
    private uint _version;
    private byte _rest;
    private byte _left;

    /// <summary>
    /// Whether a page has stayed as it was for long enough to be hashed. One that is new waits for a pass; one that has changed is left
    /// alone for twice as many as the last time.
    /// </summary>
    /// <param name="owner">The frame's owner.</param>
    /// <param name="version">The version of its page.</param>
    public bool IsQuiet(uint owner, uint version)
    {
        if (owner != _owner)
        {
            _owner = owner;
            _version = version;
            _rest = 0;
            _left = 0;
            return false;
        }

        if (version != _version)
        {
            _version = version;
            _rest = (byte)Math.Min(MostPasses, (_rest * 2) + 1);
            _left = _rest;
            return false;
        }

        if (_left > 0)
        {
            _left--;
            return false;
        }

        return true;
    }
}
