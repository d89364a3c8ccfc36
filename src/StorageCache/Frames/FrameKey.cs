namespace StorageCache.Frames;

/// <summary>What a frame is found by in a <see cref="FrameIndex"/>. Equal keys of one tag say that the bytes may be equal, or are.</summary>
/// <param name="Low">Half of the key.</param>
/// <param name="High">The other half.</param>
/// <param name="Tag">Whose key it is; keys with different tags are different.</param>
internal readonly record struct FrameKey(ulong Low, ulong High, uint Tag)
{
    /// <summary>Spreads keys over buckets; of extents' keys only a few bits differ from page to page.</summary>
    public uint Spread
    {
        get
        {
            ulong mixed = ((Low ^ (High * 0x9E37_79B9_7F4A_7C15)) + Tag) * 0xD6E8_FEB8_6659_FD93;
            return (uint)(mixed >> 32);
        }
    }
}
