namespace StorageCache;

/// <summary>
/// What the device holds of a page is not that page, says the mapping's codec: it is damaged, torn, cut off, or another page. The party that
/// started the read gets it; others who waited for the page try again. Nothing is cached; a later access reads again, and finds the page
/// right if it has been repaired. Also thrown for a file that is opened with a codec and ends within a page.
/// </summary>
public sealed class PageCorruptException : PageReadException
{
    internal PageCorruptException(string message, string path, long page, PageDefect defect)
        : base(message, path, page) => Defect = defect;

    /// <summary>What is wrong with the page.</summary>
    public PageDefect Defect { get; }
}
