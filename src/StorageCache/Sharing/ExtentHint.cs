using StorageCache.IO;

namespace StorageCache.Sharing;

/// <summary>Where a file's bytes lay when somebody asked: good for choosing whom to ask again, and for nothing else.</summary>
/// <param name="Extents">Plain extents, shared or not.</param>
/// <param name="Writes">How many writes of the mapping had ended then.</param>
internal sealed record ExtentHint(Extent[] Extents, long Writes)
{
    private const int BytesPerExtent = 32;

    /// <summary>Bytes that the hint takes.</summary>
    public long Bytes => 64 + (Extents.Length * (long)BytesPerExtent);
}
