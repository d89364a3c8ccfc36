namespace StorageCache.Workloads.Hit;

/// <summary>Brings every loop to its final machine code before anything is measured.</summary>
internal static class HitWarmUp
{
    private const int Passes = 5;
    private const int CallsPerPass = 40;
    private const int OperationsPerCall = 1024;

    // The runtime compiles a method again, optimised for what it saw, some time after its thirtieth call.
    private static readonly TimeSpan s_compilationDelay = TimeSpan.FromMilliseconds(250);

    /// <summary>Calls every loop often, with pauses in which the runtime compiles in the background.</summary>
    public static void Run(HitVariants variants, int pageCount)
    {
        int[] pages = PageSequence.Uniform(pageCount, OperationsPerCall, seed: 5);
        for (int pass = 0; pass < Passes; pass++)
        {
            foreach ((_, IHitLoop loop) in variants.Loops)
            {
                for (int call = 0; call < CallsPerPass; call++)
                {
                    loop.Run(pages, 0, pages.Length);
                }
            }

            Thread.Sleep(s_compilationDelay);
        }
    }
}
