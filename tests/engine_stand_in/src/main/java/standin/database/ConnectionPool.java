package standin.database;

import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Properties;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import standin.Log;
import standin.Threads;

/** Connections to the system database: some always open, never more than the configured number, renewed after a loss. */
public final class ConnectionPool implements AutoCloseable {
  public static final String APPLICATION_NAME = "Axon Ivy Engine";
  private static final int KEPT_OPEN = 2;
  private static final int BORROW_SECONDS = 5;
  private static final int CHECK_MILLIS = 1000;

  private final DatabaseAddress address;
  private final Semaphore free;
  private final Deque<Connection> idle = new ArrayDeque<>();
  private volatile boolean available = true;
  private volatile boolean closed;
  private final Thread monitor;

  /** Work with a connection. */
  public interface Work<T> {
    T run(Connection connection) throws SQLException;
  }

  /** Fails if the database cannot be reached now. */
  public ConnectionPool(DatabaseAddress address, int maxConnections) throws SQLException {
    this.address = address;
    this.free = new Semaphore(maxConnections);
    idle.add(open());
    this.monitor = Threads.every(CHECK_MILLIS, "database-monitor", this::keep);
  }

  public boolean isAvailable() {
    return available;
  }

  public <T> T with(Work<T> work) throws SQLException {
    if (!acquire()) {
      throw new SQLException("All connections of the pool are in use");
    }
    try {
      Connection connection = take();
      try {
        T result = work.run(connection);
        giveBack(connection);
        return result;
      } catch (SQLException | RuntimeException e) {
        close(connection);
        throw e;
      }
    } finally {
      free.release();
    }
  }

  public <T> T inTransaction(Work<T> work) throws SQLException {
    return with(connection -> {
      connection.setAutoCommit(false);
      T result = work.run(connection);
      connection.commit();
      connection.setAutoCommit(true);
      return result;
    });
  }

  private boolean acquire() throws SQLException {
    try {
      return free.tryAcquire(BORROW_SECONDS, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new SQLException("Interrupted while waiting for a connection", e);
    }
  }

  private Connection take() throws SQLException {
    Connection connection;
    synchronized (idle) {
      connection = idle.pollFirst();
    }
    if (connection != null && connection.isValid(2)) {
      return connection;
    }
    if (connection != null) {
      closeIdle();
    }
    return open();
  }

  private void giveBack(Connection connection) {
    synchronized (idle) {
      if (!closed) {
        idle.addFirst(connection);
        return;
      }
    }
    close(connection);
  }

  /** Detects loss and recovery without waiting for a request. */
  private void keep() {
    try {
      while (countIdle() < KEPT_OPEN && free.tryAcquire()) {
        try {
          giveBack(open());
        } finally {
          free.release();
        }
      }
      Connection oldest;
      synchronized (idle) {
        oldest = idle.pollLast();
      }
      if (oldest != null) {
        if (!oldest.isValid(2)) {
          close(oldest);
          throw new SQLException("an idle connection is broken");
        }
        giveBack(oldest);
      }
      setAvailable(true, "");
    } catch (SQLException e) {
      closeIdle();
      setAvailable(false, e.getMessage());
    }
  }

  private void setAvailable(boolean now, String reason) {
    if (now != available) {
      available = now;
      if (now) {
        Log.info("The system database is available again");
      } else {
        Log.error("The system database is lost: " + reason);
      }
    }
  }

  private Connection open() throws SQLException {
    var properties = new Properties();
    properties.setProperty("ApplicationName", APPLICATION_NAME);
    properties.setProperty("connectTimeout", "3");
    properties.setProperty("socketTimeout", "15");
    properties.setProperty("tcpKeepAlive", "true");
    return address.connect(properties);
  }

  private int countIdle() {
    synchronized (idle) {
      return idle.size();
    }
  }

  private void closeIdle() {
    synchronized (idle) {
      idle.forEach(ConnectionPool::close);
      idle.clear();
    }
  }

  private static void close(Connection connection) {
    try {
      connection.close();
    } catch (SQLException e) {
      Log.warn("A database connection did not close: " + e.getMessage());
    }
  }

  @Override
  public void close() {
    monitor.interrupt();
    synchronized (idle) {
      closed = true;
    }
    closeIdle();
  }
}
