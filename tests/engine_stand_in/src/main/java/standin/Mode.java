package standin;

/** The engine's mode, and the reason if it is not in production. */
public record Mode(Kind kind, String reason) {
  /** The kinds of modes. */
  public enum Kind { PRODUCTION, DEMO, MAINTENANCE }

  public static final Mode PRODUCTION = new Mode(Kind.PRODUCTION, "");

  public static Mode demo(String reason) {
    return new Mode(Kind.DEMO, reason);
  }

  public static Mode maintenance(String reason) {
    return new Mode(Kind.MAINTENANCE, reason);
  }

  public boolean isProduction() {
    return kind == Kind.PRODUCTION;
  }

  public boolean isDemo() {
    return kind == Kind.DEMO;
  }

  public boolean isMaintenance() {
    return kind == Kind.MAINTENANCE;
  }
}
