package standin.database;

/** A version of an application that the system database knows as released. */
public record Release(String application, int version, String digest) {}
